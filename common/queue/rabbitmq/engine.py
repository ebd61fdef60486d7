"""The queue on RabbitMQ, put together of its parts."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial

from aio_pika.abc import AbstractChannel
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_fixed
from yarl import URL

from common.dead_letter import DeadLetter, Disposition, Mark, fold_entries
from common.queue.protocol import Delivery, Depths, Message
from common.queue.rabbitmq.consumer import Consumer
from common.queue.rabbitmq.dead_letters import StreamReader
from common.queue.rabbitmq.declaring import count_messages, declare
from common.queue.rabbitmq.link import Link
from common.queue.rabbitmq.messages import encode_letter, encode_message
from common.queue.rabbitmq.problems import StreamNotReadyError, answered_within
from common.queue.rabbitmq.publisher import Publisher
from common.queue.rabbitmq.timing import Timing
from common.queue.rabbitmq.topology import Topology

STREAM_START_PAUSE_SECONDS = 0.2
"""A stream runs some moments after it was declared for the first time."""


class RabbitQueue:
    """See :class:`common.queue.protocol.Queue`.

    Publishing and everything else have a connection each: an alarm stops the broker from reading a connection that
    publishes, and settling must go on then. The second one is made when it is first needed.
    """

    def __init__(self, url: str, topology: Topology, *, name: str, timing: Timing | None = None) -> None:
        self._topology = topology
        self._timing = timing or Timing()
        self._publishing = self._create_link(url, f"{name} publishing")
        self._reading = self._create_link(url, f"{name} consuming")
        self._publisher = Publisher(self._publishing, topology, self._timing)
        self._subscribing = asyncio.Lock()
        self._publishing.start()

    @property
    def unavailable(self) -> str | None:
        """See the protocol."""
        return self._publisher.unavailable or (self._reading.why_away if self._reading.is_started else None)

    async def publish(self, message: Message) -> None:
        """See the protocol."""
        await self._publisher.publish(encode_message(message), self._topology.work)

    async def publish_suspect(self, message: Message) -> None:
        """See the protocol."""
        await self._publisher.publish(encode_message(message), self._topology.suspects)

    async def publish_later(self, message: Message, delay: timedelta) -> None:
        """See the protocol."""
        await self._publisher.publish(encode_message(message), self._topology.retry(delay))

    async def bury(self, letters: Sequence[DeadLetter]) -> None:
        """See the protocol."""
        await self._publisher.publish_all(map(encode_letter, letters), self._topology.dead)

    @asynccontextmanager
    async def consume(self, *, prefetch: int) -> AsyncIterator[AsyncIterator[Delivery]]:
        """See the protocol."""
        consumer = Consumer(
            self._reading, self._topology, self._timing, prefetch=prefetch, subscribing=self._subscribing
        )
        consumer.start()
        try:
            yield consumer
        finally:
            await consumer.stop()

    async def depths(self) -> Depths:
        """See the protocol; the stream's count is up to some seconds old."""
        async with self._extra_channel() as channel, answered_within(self._timing.answer_seconds, "counting messages"):
            return Depths(
                work=await count_messages(channel, self._topology.work),
                retry=sum([await count_messages(channel, queue) for queue in self._topology.retries]),
                suspects=await count_messages(channel, self._topology.suspects),
                poison=await count_messages(channel, self._topology.poison),
                dead=await count_messages(channel, self._topology.dead),
            )

    async def dead_letters(self) -> AsyncIterator[DeadLetter]:
        """See the protocol; an entry that cannot be read is skipped, and logged."""
        starting = AsyncRetrying(
            retry=retry_if_exception_type(StreamNotReadyError),
            wait=wait_fixed(STREAM_START_PAUSE_SECONDS),
            stop=stop_after_delay(self._timing.answer_seconds),
            reraise=True,
        )
        for letter in fold_entries(await starting(self._read_entries)):
            yield letter

    async def mark_dead_letters(self, uplink_ids: Collection[str], disposition: Disposition) -> None:
        """See the protocol."""
        now = datetime.now(UTC)
        marks = (Mark(uplink_id, disposition, now) for uplink_id in uplink_ids)
        await self._publisher.publish_all(map(encode_letter, marks), self._topology.dead)

    async def close(self) -> None:
        """See the protocol."""
        await asyncio.gather(self._reading.close(), self._publishing.close())

    def _create_link(self, url: str, name: str) -> Link:
        return Link(URL(url), name=name, prepare=partial(declare, topology=self._topology), timing=self._timing)

    async def _read_entries(self) -> list[DeadLetter | Mark]:
        async with self._extra_channel() as channel:
            return await StreamReader(channel, self._topology.dead, self._timing).read()

    @asynccontextmanager
    async def _extra_channel(self) -> AsyncIterator[AbstractChannel]:
        session = await self._reading.session()
        async with session.extra_channel(self._timing.answer_seconds) as channel:
            yield channel
