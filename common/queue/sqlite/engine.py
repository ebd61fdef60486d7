"""The queue in a SQLite file, put together of its parts."""

import uuid
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import structlog
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_fixed

from common.dead_letter import DeadLetter, Disposition, Mark, decode_entry
from common.queue.protocol import Delivery, Depths, Message, MessageTooLargeError, QueueUnavailableError
from common.queue.sqlite.clock import read_clock, to_milliseconds
from common.queue.sqlite.consumer import Consumer
from common.queue.sqlite.dead_letters import Page, encode
from common.queue.sqlite.holding import Holding
from common.queue.sqlite.limits import MEBIBYTE, Limits
from common.queue.sqlite.lock import ConsumerLock
from common.queue.sqlite.store import Store
from common.queue.sqlite.writer import Writer

MESSAGE_LIMIT_BYTES = 15 * MEBIBYTE
"""The same as on RabbitMQ, so that what one engine takes the other takes as well."""

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
    ) -> None:
        path = path.absolute()
        self._path = path
        self._retry_steps = tuple(retry_steps)
        self._dead_letter_age = dead_letter_age
        self._limits = limits or Limits()
        self._writer = Writer(path, self._limits, name=name)
        self._lock = ConsumerLock(path)
        self._holding = Holding(
            self._writer, self._lock, longest_delay=max(retry_steps), dead_letter_age=dead_letter_age
        )
        self._consumers: set[Consumer] = set()
        self._why_refused: str | None = None

    @property
    def unavailable(self) -> str | None:
        """See the protocol."""
        return self._writer.why_away or self._why_refused

    async def publish(self, message: Message) -> None:
        """See the protocol."""
        await self._add(message, partial(Store.add, message_id=uuid.uuid4().hex, message=message))

    async def publish_suspect(self, message: Message) -> None:
        """See the protocol."""
        await self._add(message, partial(Store.add_suspect, message_id=uuid.uuid4().hex, message=message))

    async def publish_later(self, message: Message, delay: timedelta) -> None:
        """See the protocol."""
        if delay not in self._retry_steps:
            raise ValueError(f"there is no retry step of {delay}; there are {', '.join(map(str, self._retry_steps))}")
        due_at = read_clock() + to_milliseconds(delay)
        await self._add(message, partial(Store.add_later, message_id=uuid.uuid4().hex, message=message, due_at=due_at))

    async def bury(self, letters: Sequence[DeadLetter]) -> None:
        """See the protocol; all letters or none."""
        await self._append(letters)

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

    async def depths(self) -> Depths:
        """See the protocol."""
        return await self._writer.run(lambda store: store.count(read_clock(), is_held=self._lock.is_held()))

    async def dead_letters(self) -> AsyncIterator[DeadLetter]:
        """See the protocol; those that died when the listing had begun are left to the next. Reads page by page."""
        after, last = 0, await self._writer.run(lambda store: store.dead_letters.last())
        while after < last:
            page = await self._read_page(after, last)
            for place, body in page.letters:
                try:
                    entry = decode_entry(body)
                except (ValueError, TypeError, KeyError) as error:  # it must not hide the others
                    log.warning("dead_letter.unreadable", path=str(self._path), id=place, error=repr(error))
                    continue
                if isinstance(entry, DeadLetter):
                    yield entry
            after = page.end

    async def mark_dead_letters(self, uplink_ids: Collection[str], disposition: Disposition) -> None:
        """See the protocol; all or none."""
        now = datetime.now(UTC)
        await self._append([Mark(uplink_id, disposition, now) for uplink_id in uplink_ids])

    async def close(self) -> None:
        """See the protocol."""
        for consumer in self._consumers:
            self._holding.owe_return(consumer.end())
        await self._writer.close(self._holding.settle_owed)
        self._lock.release()

    async def _add(self, message: Message, job: Callable[[Store], None]) -> None:
        size = len(message.body)
        if size > MESSAGE_LIMIT_BYTES:
            raise MessageTooLargeError(f"a message of {size} bytes is too large; the limit is {MESSAGE_LIMIT_BYTES}")
        try:
            await self._writer.run(job, size=size)
        except QueueUnavailableError as error:
            self._why_refused = str(error)
            raise
        self._why_refused = None
        for consumer in self._consumers:
            consumer.wake()

    async def _append(self, entries: Sequence[DeadLetter | Mark]) -> None:
        if entries:
            encoded = [encode(entry) for entry in entries]
            size = sum(len(entry.body) for entry in encoded)
            await self._writer.run(lambda store: store.dead_letters.add(encoded, read_clock()), size=size)

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
