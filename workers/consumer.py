"""From deliveries to envelopes, as many at a time as one worker should hold; knows nothing of what they mean."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TypeAlias

import structlog

from common import metrics
from common.envelope import Envelope, FrameUnreadableError, FrameUnsupportedError, decode_frame
from common.queue.protocol import Delivery, Message, Queue, QueueUnavailableError
from common.stopping import run_until
from workers.breaker import Breaker
from workers.flood import FloodWatch
from workers.in_hand import OldestInHand
from workers.outcome import Outcome
from workers.settlement import Settlement
from workers.unexpected import note_unexpected

PREFETCH = 100
"""Unsettled messages per worker: 25 MB of frames, or more where single requests are larger.

What bounds the work is what is in hand. No more than keeps a worker busy: what waits in its buffer counts as delivered
once more when the worker goes away.
"""

BYTES_IN_HAND = 8_000_000
"""Of the messages that are being processed: decoded they take ten times as much, or more."""

SPLIT_AT_DELIVERY = 3
"""A frame that comes a third time was in hand when two workers died, and may be what killed them."""

SUSPECT_DELIVERIES = 3
"""A suspect is alone with its guilt: the worker that dies while it is tried was killed by it, or by an accident."""

BROKEN_PAUSE_SECONDS = 1.0
"""Before a delivery that met a bug of ours is handed back: it comes again at once, and the bug with it."""

Process: TypeAlias = Callable[[Envelope], Awaitable[list[Outcome]]]

log = structlog.get_logger()


class Consumer:
    """Takes deliveries while fewer than ``uplinks_in_hand`` uplinks are being processed, and the breaker is closed.

    ``hurry`` is called when the time to stop is half over: processing should begin nothing new then.
    """

    def __init__(
        self,
        queue: Queue,
        process: Process,
        settlement: Settlement,
        breaker: Breaker,
        *,
        uplinks_in_hand: int,
        hurry: Callable[[], None] = lambda: None,
    ) -> None:
        self._queue = queue
        self._process = process
        self._settlement = settlement
        self._breaker = breaker
        self._flood = FloodWatch()
        self._hurry = hurry
        self._in_hand = _InHand(uplinks_in_hand)
        self._oldest = OldestInHand()
        self._handling: set[asyncio.Task[None]] = set()

    async def run(self, stopping: asyncio.Event, *, grace: float) -> None:
        """Consume until ``stopping`` is set; then finish what is in hand within ``grace`` seconds, or hand it back.

        Raises :class:`workers.flood.InternalErrorFloodError`.
        """
        try:
            await run_until(stopping, self._consume(), self._flood.wait())
        finally:
            await self._drain(grace)

    async def _consume(self) -> None:
        """Take deliveries whenever the breaker is closed; ends by an error or by being cancelled."""
        while True:
            await self._breaker.wait_closed()
            async with self._queue.consume(prefetch=PREFETCH) as deliveries:
                taking = asyncio.create_task(self._take(deliveries))
                opened = asyncio.create_task(self._breaker.wait_open())
                try:
                    await asyncio.wait({taking, opened}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    opened.cancel()
                    taking.cancel()
                    await asyncio.wait({taking})
            if not taking.cancelled():
                taking.result()
                raise RuntimeError("the queue ended its deliveries by itself")

    async def _take(self, deliveries: AsyncIterator[Delivery]) -> None:
        await self._in_hand.room()
        async for delivery in deliveries:
            self._in_hand.add(delivery.message)
            handling = asyncio.create_task(self._handle_guarded(delivery))
            self._handling.add(handling)
            handling.add_done_callback(self._handling.discard)
            await self._in_hand.room()

    async def _handle_guarded(self, delivery: Delivery) -> None:
        """Hand a delivery that could not be settled back, so that it does not stay unsettled on a living connection."""
        try:
            await self._handle(delivery)
        except Exception:
            log.exception("delivery.broken", message_id=delivery.message_id, count=delivery.count)
            await asyncio.sleep(BROKEN_PAUSE_SECONDS)
            with contextlib.suppress(QueueUnavailableError):
                await delivery.hand_back()
        finally:
            self._in_hand.remove(delivery.message)

    async def _handle(self, delivery: Delivery) -> None:
        """Give the delivery to whoever it is for."""
        if delivery.count > 1:
            metrics.UPLINKS_REDELIVERED.inc(delivery.message.uplinks)
        try:
            envelopes = decode_frame(delivery.message.body)
        except FrameUnsupportedError as error:
            await self._settlement.put_off(delivery, str(error))
            return
        except FrameUnreadableError as error:
            await self._settlement.bury_unreadable(delivery, str(error))
            return
        with self._oldest.holding(envelopes):
            await self._handle_readable(delivery, envelopes)

    async def _handle_readable(self, delivery: Delivery, envelopes: Sequence[Envelope]) -> None:
        if delivery.poisoned or (delivery.suspect and delivery.count > SUSPECT_DELIVERIES):
            await self._settlement.bury_poison(delivery, envelopes)
        elif delivery.count >= SPLIT_AT_DELIVERY and not delivery.suspect:
            await self._settlement.split(delivery, envelopes)
        else:
            await self._settlement.settle(delivery, await self._process_all(envelopes))

    async def _process_all(self, envelopes: Sequence[Envelope]) -> list[Outcome]:
        processing: list[asyncio.Task[list[Outcome]]] = []
        async with asyncio.TaskGroup() as tasks:
            for envelope in envelopes:
                processing.append(tasks.create_task(self._process_guarded(envelope)))
                await asyncio.sleep(0)  # mapping a whole frame takes 10 ms, and answers to earlier posts wait meanwhile
        return [outcome for request in processing for outcome in request.result()]

    async def _process_guarded(self, envelope: Envelope) -> list[Outcome]:
        """Turn a bug that the stages did not keep to one uplink into outcomes, so that the delivery gets settled."""
        outcomes: list[Outcome]
        try:
            outcomes = await self._process(envelope)
        except Exception as error:  # noqa: BLE001 - see above
            outcomes = [note_unexpected(uplink, error) for uplink in envelope.uplinks()]
        self._flood.note(envelope.key_id, outcomes)
        return outcomes

    async def _drain(self, grace: float) -> None:
        if not self._handling:
            return
        log.info("worker.draining", deliveries=len(self._handling), seconds=grace)
        _, unfinished = await asyncio.wait(self._handling, timeout=grace / 2)
        self._hurry()
        if unfinished:
            _, unfinished = await asyncio.wait(unfinished, timeout=grace / 2)
        for handling in unfinished:  # their deliveries go back to the queue when the connection closes
            handling.cancel()
        if unfinished:
            log.warning("worker.cut_short", deliveries=len(unfinished))
            await asyncio.wait(unfinished)


class _InHand:
    """Counts what is being processed. One delivery may go over a limit: it has to fit somehow."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._uplinks = 0
        self._bytes = 0
        self._changed = asyncio.Event()

    def add(self, message: Message) -> None:
        self._uplinks += message.uplinks
        self._bytes += len(message.body)
        metrics.UPLINKS_IN_HAND.set(self._uplinks)

    def remove(self, message: Message) -> None:
        self._uplinks -= message.uplinks
        self._bytes -= len(message.body)
        metrics.UPLINKS_IN_HAND.set(self._uplinks)
        self._changed.set()

    async def room(self) -> None:
        """Return when fewer uplinks are in hand than the limit, and fewer bytes."""
        while self._uplinks >= self._limit or self._bytes >= BYTES_IN_HAND:
            self._changed.clear()
            await self._changed.wait()
