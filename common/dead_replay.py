"""Putting dead letters back, and taking them off the list: page by page, at a pace, and never half a page."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Coroutine
from itertools import islice
from typing import Any

from common.dead_letter import DeadLetter, Disposition, LetterId
from common.queue.protocol import Queue

REPLAY_RATE = 50
"""Uplinks a second: 3,000 a minute, which leaves room beside them within the limits of TagoIO's plans."""

LARGEST_PAGE = 250
"""Letters that are replayed in one go: what is under way at a crash may be replayed and stay on the list."""

PAGES_PER_SECOND = 4
"""How finely a pace is kept: the downstream shall not see one burst a second."""

MARKED_AT_ONCE = 1_000
"""Letters that are purged in one go."""


class Replayer:
    """Puts letters back into the work queue, at most ``rate`` a second. ``on_progress`` hears of each page."""

    def __init__(self, queue: Queue, *, rate: int, on_progress: Callable[[int], None]) -> None:
        self.replayed = 0
        """Letters that are in the work queue, and no longer on the list."""
        self._queue = queue
        self._rate = rate
        self._on_progress = on_progress

    async def replay(self, letters: AsyncIterator[DeadLetter]) -> None:
        """Replay them all. When it is cancelled, the page that is under way is finished."""
        started = time.monotonic()
        page: list[DeadLetter] = []
        size = min(LARGEST_PAGE, max(1, self._rate // PAGES_PER_SECOND))
        async for letter in letters:
            page.append(letter)
            if len(page) == size:
                await finish(self._put_back(page))
                page = []
                await asyncio.sleep(started + self.replayed / self._rate - time.monotonic())
        if page:
            await finish(self._put_back(page))

    async def _put_back(self, page: list[DeadLetter]) -> None:
        await self._queue.replay_dead_letters(page)
        self.replayed += len(page)
        self._on_progress(len(page))


async def purge(queue: Queue, letter_ids: Collection[LetterId], *, on_progress: Callable[[int], None]) -> None:
    """Take letters off the list for good. When it is cancelled, the page that is under way is finished."""
    remaining = iter(letter_ids)
    while page := list(islice(remaining, MARKED_AT_ONCE)):
        await finish(queue.mark_dead_letters(page, Disposition.PURGED))
        on_progress(len(page))


async def finish(doing: Coroutine[Any, Any, None]) -> None:
    """Let it come to its end, also when Ctrl-C comes meanwhile."""
    task = asyncio.ensure_future(doing)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.gather(task, return_exceptions=True)
        raise
