"""Makes an uplink deadly, for the process that has this folder in ``PYTHONPATH`` and for no other.

The process ends as by a fault in native code, at once and without a word, when it is about to post a body that holds
the text of ``KILLER_MARK``. Python imports a module of this name by itself at its start.
"""

import os
import signal
from typing import Any

import httpx

MARK = os.environ.get("KILLER_MARK", "").encode()
stream = httpx.AsyncClient.stream


def stream_or_die(self: httpx.AsyncClient, *arguments: Any, **options: Any) -> Any:
    if MARK and MARK in (options.get("content") or b""):
        os.kill(os.getpid(), signal.SIGKILL)
    return stream(self, *arguments, **options)


httpx.AsyncClient.stream = stream_or_die  # type: ignore[method-assign]
