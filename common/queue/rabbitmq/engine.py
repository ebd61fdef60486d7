"""The queue on RabbitMQ, put together of its parts."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial

from aio_pika.abc import AbstractChannel
from aiormq.exceptions import ConnectionInternalError
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_fixed
from yarl import URL

from common.dead_letter import DeadLetter, DeadLetterList, Disposition, LetterId, Mark
from common.queue.protocol import Books, Delivery, Depths, Message
from common.queue.rabbitmq.consumer import Consumer
from common.queue.rabbitmq.dead_letters import StreamReader
from common.queue.rabbitmq.declaring import count_consumers, count_messages, declare, is_untouched, require
from common.queue.rabbitmq.link import Link
from common.queue.rabbitmq.messages import encode_letter, encode_message
from common.queue.rabbitmq.problems import QueueDeletedError, StreamNotReadyError, answered_within
from common.queue.rabbitmq.publisher import Publisher
from common.queue.rabbitmq.settling import Settler
from common.queue.rabbitmq.timing import Timing
from common.queue.rabbitmq.topology import Topology
from common.queue.replaying import plan_replay
from common.tls import NO_FILES, TlsFiles

STREAM_START_PAUSE_SECONDS = 0.2
"""A stream runs some moments after it was declared for the first time."""


class RabbitQueue:
    """See :class:`common.queue.protocol.Queue`.

    Publishing and everything else have a connection each: an alarm stops the broker from reading a connection that
    publishes, and settling must go on then. The second one is made when it is first needed.
    """

    def __init__(
        self,
        url: str,
        topology: Topology,
        *,
        name: str,
        timing: Timing | None = None,
        tls: TlsFiles = NO_FILES,
        existing_only: bool = False,
    ) -> None:
        self._topology = topology
        self._prepare = partial(require if existing_only else declare, topology=topology)
        self._timing = timing or Timing()
        self._tls = tls
        self._publishing = self._create_link(url, f"{name} publishing")
        self._reading = self._create_link(url, f"{name} consuming")
        self._publisher = Publisher(self._publishing, self._prepare, self._timing)
        self._settler = Settler(self._publisher, topology)
        self._subscribing = asyncio.Lock()
        self._untouched_since: datetime | None = None
        self._publishing.start()

    @property
    def unavailable(self) -> str | None:
        """See the protocol."""
        return self._publisher.unavailable or (self._reading.why_away if self._reading.is_started else None)

    async def publish(self, message: Message) -> None:
        """See the protocol."""
        await self._publisher.publish(encode_message(message), self._topology.work)

    @asynccontextmanager
    async def consume(self, *, prefetch: int) -> AsyncIterator[AsyncIterator[Delivery]]:
        """See the protocol."""
        consumer = Consumer(
            self._reading,
            self._topology,
            self._settler,
            self._timing,
            prefetch=prefetch,
            subscribing=self._subscribing,
        )
        consumer.start()
        try:
            yield consumer
        finally:
            stopping = asyncio.create_task(consumer.stop())
            try:
                await asyncio.shield(stopping)
            except asyncio.CancelledError:  # a copy that is written, and its original not acknowledged, is a duplicate
                await asyncio.wait({stopping})
                raise

    async def count_consumers(self) -> int:
        """See the protocol."""
        async with self._spare_channel() as channel, answered_within(self._timing.answer_seconds, "counting consumers"):
            return await count_consumers(channel, self._topology.work)

    async def count_waiting(self) -> int:
        """See the protocol."""
        async with self._spare_channel() as channel, answered_within(self._timing.answer_seconds, "counting messages"):
            return await count_messages(channel, self._topology.work)

    async def depths(self) -> Depths:
        """See the protocol; the stream's count is up to some seconds old.

        Who looks again and again brings back what was deleted: to some queues nobody may publish for days.
        """
        try:
            return await self._count_all()
        except QueueDeletedError as error:
            await self._publisher.bring_back(error.queue)
            raise

    async def _count_all(self) -> Depths:
        async with self._spare_channel() as channel, answered_within(self._timing.answer_seconds, "counting messages"):
            return Depths(
                work=await count_messages(channel, self._topology.work),
                retry=sum([await count_messages(channel, queue) for queue in self._topology.retries]),
                suspects=await count_messages(channel, self._topology.suspects),
                poison=await count_messages(channel, self._topology.poison),
                dead=await count_messages(channel, self._topology.dead),
            )

    async def waiting_since(self) -> datetime | None:
        """See the protocol: a broker shows no message without handing it over, and a probe looks like any other."""
        async with (
            self._spare_channel() as channel,
            answered_within(self._timing.answer_seconds, "looking at the queue"),
        ):
            untouched = await is_untouched(channel, self._topology.work)
        self._untouched_since = (self._untouched_since or datetime.now(UTC)) if untouched else None
        return self._untouched_since

    async def books(self) -> Books | None:
        """See the protocol: a broker counts messages, and what came of them is counted by the processes."""
        return None

    async def dead_letters(self) -> AsyncIterator[DeadLetter]:
        """See the protocol; an entry that cannot be read is skipped, and logged."""
        for letter in await self._read_letters():
            yield letter

    async def mark_dead_letters(self, letter_ids: Collection[LetterId], disposition: Disposition) -> None:
        """See the protocol."""
        now = datetime.now(UTC)
        marks = (Mark(uplink_id, disposition, now, died_at) for uplink_id, died_at in letter_ids)
        await self._publisher.publish_all(map(encode_letter, marks), self._topology.dead)

    async def replay_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        """See the protocol: all are in the work queue before the first mark is written."""
        now = datetime.now(UTC)
        replays = [plan_replay(letter, now) for letter in letters]
        messages = [encode_message(replay.message, message_id=replay.message_id) for replay in replays]
        await self._publisher.publish_all(messages, self._topology.work)
        await self._publisher.publish_all((encode_letter(replay.mark) for replay in replays), self._topology.dead)

    async def count_replayed(self, since: datetime) -> int:
        """See the protocol; reads the whole stream, as a listing does."""
        return (await self._read_letters()).count_replayed(since)

    async def close(self) -> None:
        """See the protocol."""
        await asyncio.gather(self._reading.close(), self._publishing.close())

    def _create_link(self, url: str, name: str) -> Link:
        return Link(URL(url), name=name, prepare=self._prepare, timing=self._timing, tls=self._tls)

    async def _read_letters(self) -> DeadLetterList:
        starting = AsyncRetrying(
            retry=retry_if_exception_type(StreamNotReadyError),
            wait=wait_fixed(STREAM_START_PAUSE_SECONDS),
            stop=stop_after_delay(self._timing.answer_seconds),
            reraise=True,
        )
        letters: DeadLetterList = await starting(self._read_stream)
        return letters

    async def _read_stream(self) -> DeadLetterList:
        session = await self._reading.session()
        try:
            async with session.extra_channel(self._timing.answer_seconds) as channel:
                return await StreamReader(channel, self._topology.dead, self._timing).read()
        except StreamNotReadyError as error:
            if isinstance(error.__cause__, ConnectionInternalError):  # it has cost the connection
                async with answered_within(self._timing.answer_seconds, "connecting again"):
                    await session.wait_lost()
                    await self._reading.next_session()
            raise

    @asynccontextmanager
    async def _spare_channel(self) -> AsyncIterator[AbstractChannel]:
        session = await self._reading.session()
        async with session.spare_channel(self._timing.answer_seconds) as channel:
            yield channel
