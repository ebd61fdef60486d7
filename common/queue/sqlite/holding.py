"""What this process has in hand of the queue's messages: under which number, by which lock, and what it still owes."""

import asyncio
import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TypeAlias

from common.queue.persisting import persist
from common.queue.protocol import QueueUnavailableError, Remainder
from common.queue.sqlite.clock import Horizon, read_clock, to_milliseconds
from common.queue.sqlite.lock import ConsumerLock
from common.queue.sqlite.settling import EncodedRemainder, encode_remainder
from common.queue.sqlite.store import Store, TakenMessage
from common.queue.sqlite.writer import Writer

Job: TypeAlias = Callable[[Store], None]

HOLDER_BITS = 62
"""A number that no other holder of this file has ever had, and that SQLite can store."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at the queue found; ``seconds_until_due`` is None where nothing waits for its time."""

    taken: list[TakenMessage]
    seconds_until_due: float | None


class Holding:
    """Takes messages and settles them; shared by all consumers of one queue.

    Messages stay in hand until they are settled or the queue is closed, also when the file had to be opened anew.
    """

    def __init__(
        self, writer: Writer, lock: ConsumerLock, *, retry_steps: Collection[timedelta], dead_letter_age: timedelta
    ) -> None:
        self._writer = writer
        self._lock = lock
        self._retry_steps = retry_steps
        self._horizon = Horizon(dead_letter_age)
        self._holder = secrets.randbits(HOLDER_BITS)
        self._settling: set[Job] = set()
        self._owed: set[Job] = set()

    @property
    def is_over(self) -> bool:
        """Whether the queue was closed, and nothing is in hand any more."""
        return self._writer.is_closed

    def look(self, limit: int) -> asyncio.Future[Look]:
        """Take at most ``limit`` messages, after what is to be done before anybody takes one.

        There is no deadline: what was taken must not get lost with whoever waited for it.
        """
        owed = tuple(self._owed)
        looking = self._writer.submit(partial(self._look, owed=owed, limit=limit))
        looking.add_done_callback(partial(self._discharge, owed))
        return looking

    def encode(self, remainder: Remainder) -> EncodedRemainder:
        """Encode what remains of a delivery. Raises as :meth:`common.queue.protocol.Delivery.settle`."""
        return encode_remainder(remainder, self._retry_steps, read_clock())

    async def settle(self, taken: TakenMessage, remainder: EncodedRemainder) -> None:
        """Replace a message by what remains of it, however long that takes.

        Raises :class:`QueueUnavailableError` when the queue was closed first; if it was not done then, it comes again.
        """
        settle = partial(Store.settle, row_id=taken.id, message_id=taken.message_id, remainder=remainder)
        self._settling.add(settle)
        try:
            await persist(partial(self._writer.run, settle, size=remainder.size), lambda: self.is_over)
        except asyncio.CancelledError:  # the message must not stay in hand for ever
            self._owed.add(settle)
            raise
        finally:
            self._settling.discard(settle)

    async def hand_back(self, taken: TakenMessage) -> None:
        """Let a message wait again. Raises :class:`QueueUnavailableError` when that is not done yet."""
        await self._release(partial(Store.hand_back, holder=self._holder, row_ids=[taken.id]))

    async def return_unopened(self, taken: Sequence[TakenMessage]) -> None:
        """Let messages wait again that nobody has opened; that is no delivery. Raises as :meth:`hand_back`."""
        await self._release(self._return(taken))

    def owe_return(self, taken: Sequence[TakenMessage]) -> None:
        """Do as :meth:`return_unopened` with the next look, at the latest when the queue is closed."""
        if taken:
            self._owed.add(self._return(taken))

    def settle_owed(self, store: Store) -> None:
        """Do what is owed: the last job of all. What stays in hand waits again as soon as the lock is let go."""
        for settle in (*self._settling, *self._owed):
            settle(store)

    async def _release(self, job: Job) -> None:
        try:
            await self._writer.run(job)
        except (QueueUnavailableError, asyncio.CancelledError):  # the message must not stay in hand for ever
            self._owed.add(job)
            raise

    def _return(self, taken: Sequence[TakenMessage]) -> Job:
        row_ids = [message.id for message in taken]
        return partial(Store.hand_back, holder=self._holder, row_ids=row_ids, uncounted=True)

    def _look(self, store: Store, *, owed: Sequence[Job], limit: int) -> Look:
        self._lock.acquire()
        now = read_clock()
        for settle in owed:
            settle(store)
        store.take_from_others(self._holder)
        store.bring_forward(now + to_milliseconds(max(self._retry_steps)))
        store.dead_letters.date_anew(now)
        store.dead_letters.purge(oldest=self._horizon.read())
        taken = store.take(self._holder, limit=limit, now=now)
        due_at = store.next_due(now)
        return Look(taken, None if due_at is None else (due_at - now) / 1000)

    def _discharge(self, owed: Sequence[Job], looking: asyncio.Future[Look]) -> None:
        if not looking.cancelled() and looking.exception() is None:
            self._owed.difference_update(owed)
