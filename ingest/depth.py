"""The depth of the work queue: a backlog beyond the limit is answered 503, and not made any longer."""

import asyncio

import structlog

from common.queue.protocol import Queue, QueueUnavailableError
from common.reason import Reason
from ingest.gate import Gate
from ingest.refusal import RefusedError

DEPTH_INTERVAL_SECONDS = 1.0
"""How often the work queue's depth is compared with the limit."""

FULL_RETRY_AFTER_SECONDS = 30
"""A backlog of the limit's size takes minutes at least."""

log = structlog.get_logger()


class DepthWatch:
    """Compares what waits in the work queue with ``limit`` messages; 0: however many may wait."""

    def __init__(self, queue: Queue, gate: Gate, *, limit: int) -> None:
        self._queue = queue
        self._gate = gate
        self._limit = limit
        self.is_full = False
        """Whether more than the limit waited when it was last counted."""

    def build_refusal(self) -> RefusedError:
        """Give what a request is refused with while the queue is full."""
        return RefusedError(
            Reason.QUEUE_FULL,
            f"The queue is full: it holds more than {self._limit} messages; send again later",
            headers={"Retry-After": str(FULL_RETRY_AFTER_SECONDS)},
        )

    async def watch(self) -> None:
        """Count what waits while the gate is open; runs until cancelled, if there is a limit."""
        while self._limit:
            await asyncio.sleep(DEPTH_INTERVAL_SECONDS)
            if self._gate.closed_because is None:
                await self._compare()

    async def _compare(self) -> None:
        try:
            waiting = await self._queue.count_waiting()
        except QueueUnavailableError:
            self.is_full = False  # nobody knows; the next publish finds out, and closes the gate
            return
        is_full = waiting > self._limit
        if is_full != self.is_full:
            log.warning("queue.filled" if is_full else "queue.drained", messages=waiting, limit=self._limit)
        self.is_full = is_full
