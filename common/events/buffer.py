"""Where events wait to be carried away. It is bounded: what does not fit is dropped, and counted."""

import asyncio
from collections import deque
from contextlib import suppress
from typing import Generic, TypeVar

from common import metrics

BUFFER_EVENTS = 1_000
BUFFER_BYTES = 4_000_000

T = TypeVar("T")


class Buffer(Generic[T]):
    """Takes what fits and drops the rest, so that what was begun is seen to its end; whoever puts in never waits."""

    def __init__(self, *, events: int = BUFFER_EVENTS, size: int = BUFFER_BYTES) -> None:
        self._most_events = events
        self._most_bytes = size
        self._waiting: deque[tuple[T, int]] = deque()
        self._bytes = 0
        self._filled = asyncio.Event()
        self._dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def is_full(self) -> bool:
        """Whether nothing more fits, whatever its size: it need not be made then."""
        return len(self._waiting) >= self._most_events

    def offer(self, item: T, size: int) -> None:
        """Put in an item of ``size`` bytes, or drop it."""
        if len(self._waiting) >= self._most_events or self._bytes + size > self._most_bytes:
            self._dropped += 1
            metrics.EVENTS_DROPPED.inc()
        else:
            self._waiting.append((item, size))
            self._bytes += size
        self._filled.set()

    async def wait(self, seconds: float | None = None) -> None:
        """Return when something waits or was dropped, and after ``seconds`` in any case."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._filled.wait()

    def take(self, most: int) -> list[T]:
        """Give what waits, in its order, at most so many."""
        taken: list[T] = []
        while self._waiting and len(taken) < most:
            item, size = self._waiting.popleft()
            self._bytes -= size
            taken.append(item)
        metrics.EVENTS_PUBLISHED.inc(len(taken))
        if not self._waiting and not self._dropped:
            self._filled.clear()
        return taken

    def take_dropped(self) -> int:
        """Give how many were dropped behind those that were taken so far; 0 while some of those still wait."""
        if self._waiting:
            return 0
        dropped, self._dropped = self._dropped, 0
        self._filled.clear()
        return dropped
