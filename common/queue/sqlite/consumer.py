"""Consuming: look, hand out, and look again when something has changed or is due."""

import asyncio
from contextlib import suppress
from math import inf

import structlog

from common.queue.protocol import Delivery, QueueUnavailableError
from common.queue.sqlite.delivery import SqliteDelivery
from common.queue.sqlite.holding import Holding, Look
from common.queue.sqlite.limits import Limits
from common.queue.sqlite.store import TakenMessage

log = structlog.get_logger()


class Consumer:
    """An iterator of deliveries. Between :meth:`start` and :meth:`stop` it keeps up to ``prefetch`` of them in hand."""

    def __init__(self, holding: Holding, limits: Limits, *, prefetch: int) -> None:
        self._holding = holding
        self._limits = limits
        self._prefetch = prefetch
        self._in_hand: set[str] = set()
        self._buffer: asyncio.Queue[TakenMessage | None] = asyncio.Queue()
        self._changed = asyncio.Event()
        self._is_stopped = False
        self._looking: asyncio.Future[Look] | None = None
        self._running: asyncio.Task[None] | None = None
        self._why_stalled: str | None = None

    def __aiter__(self) -> "Consumer":
        return self

    async def __anext__(self) -> Delivery:
        """Wait for a delivery; ends when the consumer is stopped or its queue is closed."""
        taken = await self._buffer.get()
        if taken is None:
            self._buffer.put_nowait(None)  # for the next who asks
            raise StopAsyncIteration
        return SqliteDelivery(taken, self._holding, self._let_go)

    def start(self) -> None:
        """Begin to look."""
        self._running = asyncio.create_task(self._keep_looking())

    def wake(self) -> None:
        """Look now: something was published, or there is room for more."""
        self._changed.set()

    async def stop(self) -> None:
        """Take nothing more, and return what nobody took from the iterator; what was taken can still be settled."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait({self._running})
        if self._looking is not None:  # it cannot be called back, and what it finds belongs to somebody
            await asyncio.wait({self._looking}, timeout=self._limits.answer_seconds)
        if unopened := self.end():
            with suppress(QueueUnavailableError):  # then it is owed
                await self._holding.return_unopened(unopened)
        if self._running is not None and not self._running.cancelled():
            self._running.result()  # a bug, if it has one to tell

    def end(self) -> list[TakenMessage]:
        """Hand out nothing more, and give what nobody took from the iterator."""
        self._is_stopped = True
        if self._running is not None:
            self._running.cancel()
        unopened = []
        while not self._buffer.empty():
            if (taken := self._buffer.get_nowait()) is not None:
                unopened.append(taken)
        self._buffer.put_nowait(None)
        return unopened

    async def _keep_looking(self) -> None:
        try:
            while True:
                self._changed.clear()
                try:
                    pause = await self._look()
                except QueueUnavailableError as error:
                    self._note(str(error))
                    await asyncio.sleep(self._limits.pause_seconds)
                else:
                    self._note(None)
                    await self._wait_for_change(pause)
        finally:
            self._buffer.put_nowait(None)

    async def _look(self) -> float:
        """Take what there is room for; give the seconds to wait for a change before the next look."""
        self._looking = self._holding.look(max(0, self._prefetch - len(self._in_hand)))
        self._looking.add_done_callback(self._receive)
        look = await asyncio.shield(self._looking)
        if look.taken:
            return 0
        return min(self._limits.look_seconds, inf if look.seconds_until_due is None else look.seconds_until_due)

    async def _wait_for_change(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()

    def _receive(self, looking: asyncio.Future[Look]) -> None:
        if looking.cancelled() or looking.exception() is not None:
            return
        taken = looking.result().taken
        if self._is_stopped:
            self._holding.owe_return(taken)
            return
        for message in taken:
            self._in_hand.add(message.message_id)
            self._buffer.put_nowait(message)

    def _let_go(self, taken: TakenMessage) -> None:
        self._in_hand.discard(taken.message_id)
        self.wake()

    def _note(self, why: str | None) -> None:
        """Log why nothing comes, once for each reason."""
        if why is not None and why != self._why_stalled:
            log.warning("deliveries.stalled", why=why)
        self._why_stalled = why
