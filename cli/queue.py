"""The queue that the settings name."""

import os
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

from common.queue import open_queue
from common.queue.protocol import Queue
from common.settings import Settings


def open_settings_queue(
    settings: Settings, name: str, *, existing_only: bool = False
) -> AbstractAsyncContextManager[Queue]:
    """Open the queue; its connections are called after ``name``, the role or the command, and this process.

    ``existing_only``: make none. A tool wants that: a name that was mistyped must not look like a queue that is empty.
    """
    return open_queue(
        settings.queue,
        prefix=settings.queue_prefix,
        ladder=settings.ladder,
        dead_letter_age=timedelta(days=settings.dead_letter_days),
        name=f"sluice {name} {os.getpid()}",
        tls=settings.tls,
        existing_only=existing_only,
    )
