"""A flood of internal errors: the bug is in everybody's way, and the worker had better stop.

What stops, and is started again by its supervisor, is seen. A worker that went on would turn every uplink that waits
into a dead letter.
"""

import asyncio
from collections import deque
from collections.abc import Sequence

from common.reason import Reason
from workers.outcome import Outcome, RetryLater

WINDOW = 100
"""So many of the last requests are looked at: of many senders, where there are many."""

FLOOD_FROM = 90
"""So many of them with an internal error are a flood."""


class InternalErrorFloodError(Exception):
    """Nearly every request meets a bug."""


class FloodWatch:
    """Counts requests that met a bug."""

    def __init__(self) -> None:
        self._broken: deque[str | None] = deque(maxlen=WINDOW)
        """The key of each request that met a bug, None for one that did not."""
        self._keys: set[str] = set()
        self._flood = asyncio.Event()

    def note(self, key_id: str, outcomes: Sequence[Outcome]) -> None:
        """Remember how one request ended."""
        is_broken = any(isinstance(o, RetryLater) and o.reason is Reason.INTERNAL_ERROR for o in outcomes)
        self._keys.add(key_id)
        self._broken.append(key_id if is_broken else None)
        if is_broken and self._is_everybodys():
            self._flood.set()

    def _is_everybodys(self) -> bool:
        """Whether nearly every request meets a bug, and not those of one key among others."""
        broken = [key_id for key_id in self._broken if key_id is not None]
        return len(broken) >= FLOOD_FROM and (len(set(broken)) > 1 or len(self._keys) == 1)

    async def wait(self) -> None:
        """Return never, or raise :class:`InternalErrorFloodError`."""
        await self._flood.wait()
        raise InternalErrorFloodError(
            f"{FLOOD_FROM} of the last {WINDOW} requests met a bug in Sluice itself: the worker stops, and what it has"
            " in hand goes back to the queue; see uplink.broken in the log"
        )
