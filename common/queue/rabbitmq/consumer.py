"""Consuming the work queue, the suspects and the poison queue, through every reconnection."""

import asyncio
from contextlib import suppress
from functools import partial

from aio_pika.abc import AbstractIncomingMessage, AbstractQueue, ConsumerTag

from common import metrics
from common.queue.protocol import Delivery, QueueUnavailableError
from common.queue.rabbitmq.delivery import RabbitDelivery, Source, read_delivery
from common.queue.rabbitmq.link import Link
from common.queue.rabbitmq.problems import answered_within
from common.queue.rabbitmq.publisher import publish_in_turns
from common.queue.rabbitmq.session import Session
from common.queue.rabbitmq.settling import Settler
from common.queue.rabbitmq.timing import Timing
from common.queue.rabbitmq.topology import Topology


class Consumer:
    """An iterator of deliveries. Between :meth:`start` and :meth:`stop` the broker may fill its buffer.

    ``subscribing`` is shared by all consumers of one link: a prefetch is set for the consumers that come next on the
    channel, so that two subscriptions must not mix.
    """

    def __init__(
        self,
        link: Link,
        topology: Topology,
        settler: Settler,
        timing: Timing,
        *,
        prefetch: int,
        subscribing: asyncio.Lock,
    ) -> None:
        self._link = link
        self._sources = _list_sources(topology, prefetch)
        self._settler = settler
        self._timing = timing
        self._subscribing = subscribing
        self._unsettled: set[RabbitDelivery] = set()
        self._session: Session | None = None
        self._consumers: list[tuple[AbstractQueue, ConsumerTag]] = []
        self._buffer: asyncio.Queue[RabbitDelivery | None] = asyncio.Queue()
        self._is_stopped = False
        self._running: asyncio.Task[None] | None = None

    def __aiter__(self) -> "Consumer":
        return self

    async def __anext__(self) -> Delivery:
        """Wait for a delivery that can still be settled; ends when the consumer is stopped or its queue is closed."""
        while (delivery := await self._buffer.get()) is not None:
            if not delivery.is_lost:
                return delivery
        self._buffer.put_nowait(None)  # for the next who asks
        raise StopAsyncIteration

    def start(self) -> None:
        """Begin to consume as soon as the broker is there."""
        self._running = asyncio.create_task(self._keep_consuming())

    async def stop(self) -> None:
        """Take nothing more, and return what nobody took from the iterator; what was taken can still be settled."""
        if self._running is not None:
            async with self._subscribing:  # a subscription that is cut in half would take the channel with it
                self._running.cancel()
            await asyncio.wait({self._running})
        try:
            await self._unsubscribe()
            self._is_stopped = True
            await self._return_buffer()
        except QueueUnavailableError as error:
            if self._session is not None:
                self._session.drop(str(error))  # then the broker takes everything back by itself
            self._discard_lost()
        self._buffer.put_nowait(None)
        if self._running is not None and not self._running.cancelled():
            self._running.result()  # a bug, if it has one to tell

    async def _keep_consuming(self) -> None:
        try:
            while (session := await self._link.next_session()) is not None:
                try:
                    await self._subscribe(session)
                except QueueUnavailableError as error:
                    session.drop(str(error))
                await session.wait_lost()
                self._discard_lost()
        finally:
            self._buffer.put_nowait(None)

    async def _subscribe(self, session: Session) -> None:
        async with self._subscribing, answered_within(self._timing.answer_seconds, "subscribing"):
            self._session = session
            self._consumers = []
            for source in self._sources:
                await session.channel.set_qos(prefetch_count=source.prefetch)  # of the consumers that come next
                queue = await session.channel.get_queue(source.queue, ensure=False)
                tag = await queue.consume(partial(self._receive, session, source))
                self._consumers.append((queue, tag))

    async def _receive(self, session: Session, source: Source, incoming: AbstractIncomingMessage) -> None:
        delivery = read_delivery(incoming, session, source, self._settler, self._let_go)
        self._unsettled.add(delivery)
        metrics.UPLINKS_UNSETTLED.inc(delivery.message.uplinks)
        if not self._is_stopped:
            self._buffer.put_nowait(delivery)
            return
        with suppress(QueueUnavailableError):  # it was on its way when the consumer was cancelled
            await delivery.return_unopened()

    async def _unsubscribe(self) -> None:
        if self._session is None or self._session.why_lost is not None:
            return
        async with answered_within(self._timing.answer_seconds, "unsubscribing"):
            for queue, tag in self._consumers:
                await queue.cancel(tag)

    async def _return_buffer(self) -> None:
        unopened = []
        for delivery in self._empty_buffer():
            if delivery.is_lost:
                self._let_go(delivery)
            else:
                unopened.append(delivery)
        await publish_in_turns(delivery.return_unopened() for delivery in unopened)

    def _discard_lost(self) -> None:
        """Forget the deliveries of a session that is lost, so that they do not pile up over many reconnections."""
        self._empty_buffer()
        for delivery in tuple(self._unsettled):
            self._let_go(delivery)

    def _empty_buffer(self) -> list[RabbitDelivery]:
        emptied = [self._buffer.get_nowait() for _ in range(self._buffer.qsize())]
        return [delivery for delivery in emptied if delivery is not None]

    def _let_go(self, delivery: RabbitDelivery) -> None:
        if delivery in self._unsettled:
            self._unsettled.discard(delivery)
            metrics.UPLINKS_UNSETTLED.dec(delivery.message.uplinks)


def _list_sources(topology: Topology, prefetch: int) -> list[Source]:
    """Say what is consumed, and how many unsettled deliveries of it at a time.

    The work comes last: its deliveries keep the loop busy while the broker's answers about the others have a deadline.
    """
    return [
        Source(topology.suspects, 1, suspect=True),
        Source(topology.poison, prefetch, poisoned=True),
        Source(topology.work, prefetch),
    ]
