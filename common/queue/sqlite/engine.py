"""The queue in a SQLite file, put together of its parts."""

import uuid
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import structlog
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_fixed

from common.dead_letter import DeadLetter, DeadLetterList, Disposition, LetterId, Mark
from common.queue.limits import refuse_too_large
from common.queue.protocol import Books, Delivery, Depths, Message, QueueUnavailableError
from common.queue.replaying import plan_replay
from common.queue.sqlite.clock import read_clock, to_clock, to_milliseconds
from common.queue.sqlite.consumer import Consumer
from common.queue.sqlite.dead_letters import Page
from common.queue.sqlite.holding import Holding
from common.queue.sqlite.limits import Limits
from common.queue.sqlite.lock import ConsumerLock
from common.queue.sqlite.store import Store
from common.queue.sqlite.waiting import HeadWatch
from common.queue.sqlite.writer import Writer

LOCK_TRIES, LOCK_PAUSE_SECONDS = 5, 0.05
"""Whoever counts the messages holds the consumer's lock for a moment, to see whether anybody else does."""

log = structlog.get_logger()


class SqliteQueue:
    """See :class:`common.queue.protocol.Queue`."""

    def __init__(
        self,
        path: Path,
        *,
        retry_steps: Sequence[timedelta],
        dead_letter_age: timedelta,
        name: str,
        limits: Limits | None = None,
        existing_only: bool = False,
    ) -> None:
        path = path.absolute()
        self._path = path
        self._dead_letter_age = dead_letter_age
        self._limits = limits or Limits()
        self._writer = Writer(path, self._limits, name=name, existing_only=existing_only)
        self._lock = ConsumerLock(path)
        self._holding = Holding(self._writer, self._lock, retry_steps=retry_steps, dead_letter_age=dead_letter_age)
        self._consumers: set[Consumer] = set()
        self._head = HeadWatch()
        self._why_refused: str | None = None

    @property
    def unavailable(self) -> str | None:
        """See the protocol."""
        return self._writer.why_away or self._why_refused

    async def publish(self, message: Message) -> None:
        """See the protocol."""
        refuse_too_large(message.body)
        add = partial(Store.add, message_id=uuid.uuid4().hex, message=message)
        try:
            await self._writer.run(add, size=len(message.body))
        except QueueUnavailableError as error:
            self._why_refused = str(error)
            raise
        self._why_refused = None
        for consumer in self._consumers:
            consumer.wake()

    @asynccontextmanager
    async def consume(self, *, prefetch: int) -> AsyncIterator[AsyncIterator[Delivery]]:
        """See the protocol. Raises :class:`QueueUnavailableError` when another process, or another queue, consumes.

        Once begun, consuming stays with this queue until it is closed.
        """
        self._writer.refuse_if_closed()
        await self._acquire_lock()
        consumer = Consumer(self._holding, self._limits, prefetch=prefetch)
        self._consumers.add(consumer)
        consumer.start()
        try:
            yield consumer
        finally:
            self._consumers.discard(consumer)
            await consumer.stop()

    async def count_consumers(self) -> int:
        """See the protocol: the lock lets nobody but this queue consume."""
        return len(self._consumers)

    async def count_waiting(self) -> int:
        """See the protocol."""
        return (await self.depths()).work

    async def depths(self) -> Depths:
        """See the protocol."""
        return await self._writer.run(lambda store: store.count(read_clock(), is_held=self._lock.is_held()))

    async def waiting_since(self) -> datetime | None:
        """See the protocol. What is in hand is seen as well; a suspect is not."""
        return self._head.note(await self._writer.run(lambda store: store.waiting.read(read_clock())))

    async def books(self) -> Books:
        """See the protocol: exactly, whatever was killed."""
        return await self._writer.run(lambda store: store.books.read())

    async def dead_letters(self) -> AsyncIterator[DeadLetter]:
        """See the protocol; those that died when the listing had begun are left to the next. Reads page by page."""
        after, last = 0, await self._writer.run(lambda store: store.dead_letters.last())
        while after < last:
            page = await self._read_page(after, last)
            for place, entries in page.letters:
                for letter in self._fold(place, entries):
                    yield letter
            after = page.end

    async def mark_dead_letters(self, letter_ids: Collection[LetterId], disposition: Disposition) -> None:
        """See the protocol; all or none."""
        now = datetime.now(UTC)
        marks = [Mark(uplink_id, disposition, now, died_at) for uplink_id, died_at in letter_ids]
        await self._writer.run(lambda store: store.dead_letters.mark_all(marks, read_clock()))

    async def replay_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        """See the protocol; all or none, and none that somebody else has replayed meanwhile."""
        now = datetime.now(UTC)
        replays = [plan_replay(letter, now) for letter in letters]
        size = sum(len(replay.message.body) for replay in replays)
        await self._writer.run(lambda store: store.replay(replays, read_clock()), size=size)
        for consumer in self._consumers:
            consumer.wake()

    async def count_replayed(self, since: datetime) -> int:
        """See the protocol."""
        return await self._writer.run(lambda store: store.dead_letters.count_replayed(to_clock(since)))

    async def close(self) -> None:
        """See the protocol."""
        for consumer in self._consumers:
            self._holding.owe_return(consumer.end())
        await self._writer.close(self._holding.settle_owed)
        self._lock.release()

    def _fold(self, place: int, entries: list[bytes]) -> DeadLetterList:
        """Make a letter, with its history, of the entries about its uplink."""
        letters = DeadLetterList()
        for entry in entries:
            try:
                letters.add(entry)
            except (ValueError, TypeError, KeyError) as error:  # it must not hide the others
                log.error("dead_letter.unreadable", path=str(self._path), id=place, error=repr(error))  # noqa: TRY400 -- it says it all
        return letters

    async def _read_page(self, after: int, last: int) -> Page:
        oldest = read_clock() - to_milliseconds(self._dead_letter_age)
        return await self._writer.run(lambda store: store.dead_letters.read_page(after=after, last=last, oldest=oldest))

    async def _acquire_lock(self) -> None:
        acquiring = AsyncRetrying(
            retry=retry_if_exception_type(QueueUnavailableError),
            wait=wait_fixed(LOCK_PAUSE_SECONDS),
            stop=stop_after_attempt(LOCK_TRIES),
            reraise=True,
        )
        async for attempt in acquiring:
            with attempt:
                self._lock.acquire()
