"""What every process sees of the queue, for ``/metrics``: how much waits, for how long, and whether the books balance.

Frames grow with load, so a number of messages says little about how late the workers are; an age says it.
"""

import asyncio
from dataclasses import asdict
from datetime import UTC, datetime

from common import metrics
from common.queue.protocol import Queue, QueueUnavailableError

WATCH_SECONDS = 5.0
"""Between two looks at the queue. An age that was seen goes on growing in between."""


async def watch_queue(queue: Queue) -> None:
    """Keep the metrics about the queue up to date; runs until cancelled.

    While the queue is away nobody takes what waits there, so the last age that was seen goes on growing.
    """
    watch = _QueueWatch(queue)
    while True:
        await watch.look()
        await asyncio.sleep(WATCH_SECONDS)


def measure_age(since: datetime | None) -> float:
    """Give the seconds since then; 0 where nothing waits, or where another machine's clock is ahead of this one's."""
    return 0.0 if since is None else max(0.0, (datetime.now(UTC) - since).total_seconds())


class _QueueWatch:
    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._since: datetime | None = None
        metrics.OLDEST_UPLINK_AGE.labels("queue").set_function(lambda: measure_age(self._since))

    async def look(self) -> None:
        try:
            self._since = await self._queue.waiting_since()
            depths, books = await self._queue.depths(), await self._queue.books()
        except QueueUnavailableError:
            return
        for waiting, messages in asdict(depths).items():
            metrics.QUEUE_MESSAGES.labels(waiting).set(messages)
        if books is not None:
            metrics.BOOKS_SURPLUS.labels("file").set(books.surplus)
