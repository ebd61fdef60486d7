"""A queue for unit tests: in memory, and as unwilling as a test wants it.

``tests/contract/test_fake_queue.py`` lists what it has in common with the engines. Suspects and what is for later are
kept, and do not come.
"""

import asyncio
import uuid
from collections import deque
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from common.dead_letter import DeadLetter, Disposition, LetterId
from common.envelope import Envelope, decode_frame
from common.ladder import DEFAULT_STEPS
from common.queue.limits import refuse_too_large, refuse_unknown_step
from common.queue.protocol import Books, Delivery, Depths, Message, QueueUnavailableError, Remainder
from common.queue.replaying import plan_replay


@dataclass(eq=False)
class FakeDelivery:
    """A delivery that notes how it was settled, and with what; ``refusals`` fail the next settlements."""

    message: Message
    message_id: str = "0b3c6d0e5f8f4c1f9d6a7e8899aabbcc"
    count: int = 1
    suspect: bool = False
    poisoned: bool = False
    is_lost: bool = False
    settled: list[str] = field(default_factory=list)
    remainder: Remainder = field(default_factory=Remainder)
    refusals: list[Exception] = field(default_factory=list)
    queue: "FakeQueue | None" = None

    async def settle(self, remainder: Remainder) -> None:
        self._refuse_if_lost()
        if self.refusals:
            raise self.refusals.pop(0)
        for message in (*remainder.suspects, *remainder.put_back, *(message for message, _ in remainder.later)):
            refuse_too_large(message.body)
        for _, delay in remainder.later:
            refuse_unknown_step(delay, DEFAULT_STEPS)
        self.remainder = remainder
        self._end("settle")

    async def hand_back(self) -> None:
        self._refuse_if_lost()
        self._end("hand_back")

    def _refuse_if_lost(self) -> None:
        if self.is_lost:
            raise QueueUnavailableError("the connection is gone")

    def _end(self, how: str) -> None:
        assert not self.settled, "a delivery is ended once"
        self.settled.append(how)
        if self.queue is not None:
            self.queue.take_back(self)


class FakeQueue:
    """Keeps what is published. ``hold`` keeps confirms back until ``release``; ``refuse`` fails the next calls."""

    def __init__(self) -> None:
        self.unavailable: str | None = None
        self.published: list[Message] = []
        self.letters: list[DeadLetter] = []
        self.marks: list[tuple[LetterId, Disposition]] = []
        self.depth: int | None = None
        """What is said to wait; None: as many as do."""
        self.consumers = 0
        self.replayed = 0
        self.since: datetime | None = None
        self.kept_books: Books | None = None
        self._waiting: deque[FakeDelivery] = deque()
        self._in_hand: list[FakeDelivery] = []
        self._remainders: list[Remainder] = []
        self._changed = asyncio.Event()
        self._refusals: list[Exception] = []
        self._confirms = asyncio.Event()
        self._confirms.set()

    def hold(self) -> None:
        self._confirms.clear()

    def release(self) -> None:
        self._confirms.set()

    def refuse(self, *errors: Exception) -> None:
        self._refusals.extend(errors)

    def accepted(self) -> list[Envelope]:
        """Every envelope that was published, in order."""
        return [envelope for message in self.published for envelope in decode_frame(message.body)]

    def deliver(self, delivery: FakeDelivery) -> None:
        """Have a delivery come behind those that wait."""
        self._waiting.append(delivery)
        self._changed.set()

    def take_back(self, delivery: FakeDelivery) -> None:
        """Keep what remains of a delivery that has ended, or have it come again."""
        self._in_hand.remove(delivery)
        if delivery.settled != ["settle"]:
            self.deliver(replace(delivery, count=delivery.count + 1, is_lost=False, settled=[], queue=None))
        self._remainders.append(delivery.remainder)
        self.letters.extend(delivery.remainder.letters)
        for message in delivery.remainder.put_back:
            self._put(message)
        self._changed.set()

    async def publish(self, message: Message) -> None:
        refuse_too_large(message.body)
        await self._take()
        self.published.append(message)
        self._put(message)

    @asynccontextmanager
    async def consume(self, *, prefetch: int) -> AsyncIterator[AsyncIterator[Delivery]]:
        left = asyncio.Event()
        self.consumers += 1
        try:
            yield self._deliver(prefetch, left)
        finally:
            self.consumers -= 1
            left.set()
            self._changed.set()

    async def _deliver(self, prefetch: int, left: asyncio.Event) -> AsyncIterator[Delivery]:
        while not (left.is_set() or self.unavailable):
            if self._waiting and len(self._in_hand) < prefetch:
                delivery = self._waiting.popleft()
                delivery.queue = self
                self._in_hand.append(delivery)
                yield delivery
            else:
                self._changed.clear()
                await self._changed.wait()

    async def count_consumers(self) -> int:
        return self.consumers

    async def count_waiting(self) -> int:
        self._refuse_if_away()
        return len(self._waiting) if self.depth is None else self.depth

    async def depths(self) -> Depths:
        retry = sum(len(remainder.later) for remainder in self._remainders)
        suspects = sum(len(remainder.suspects) for remainder in self._remainders)
        return Depths(await self.count_waiting(), retry, suspects, poison=0, dead=len(self.letters))

    async def waiting_since(self) -> datetime | None:
        self._refuse_if_away()
        return self.since

    async def books(self) -> Books | None:
        return self.kept_books

    async def dead_letters(self) -> AsyncIterator[DeadLetter]:
        self._refuse_if_away()
        for letter in self.letters:
            yield letter

    async def mark_dead_letters(self, letter_ids: Collection[LetterId], disposition: Disposition) -> None:
        await self._take()
        self.marks.extend((letter_id, disposition) for letter_id in letter_ids)
        self.letters = [letter for letter in self.letters if letter.id not in letter_ids]

    async def replay_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        replays = [plan_replay(letter, datetime.now(UTC)) for letter in letters]
        await self._take()
        for replay in replays:
            self.published.append(replay.message)
            self._put(replay.message, replay.message_id)
        await self.mark_dead_letters([letter.id for letter in letters], Disposition.REPLAYED)

    async def count_replayed(self, since: datetime) -> int:
        assert since.tzinfo
        return self.replayed

    async def close(self) -> None:
        self.unavailable = "the queue was closed"
        self._changed.set()
        for delivery in self._in_hand.copy():
            delivery.is_lost = True
            self.take_back(delivery)

    def _put(self, message: Message, message_id: str | None = None) -> None:
        self.deliver(FakeDelivery(message, message_id or uuid.uuid4().hex))

    async def _take(self) -> None:
        self._refuse_if_away()
        if self._refusals:
            raise self._refusals.pop(0)
        await self._confirms.wait()

    def _refuse_if_away(self) -> None:
        if self.unavailable:
            raise QueueUnavailableError(self.unavailable)
