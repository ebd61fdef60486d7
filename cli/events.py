"""The live events of the deployment that the settings name."""

import os
from contextlib import AbstractAsyncContextManager

from common.events.engine import Events
from common.events.opening import open_events
from common.settings import Settings


def open_settings_events(settings: Settings, name: str) -> AbstractAsyncContextManager[Events]:
    """Open them for a process that tells; its connection is called after ``name`` and this process."""
    return open_events(
        settings.queue,
        prefix=settings.queue_prefix,
        name=f"sluice {name} {os.getpid()}",
        token=settings.directory_token,
        tls=settings.tls,
    )
