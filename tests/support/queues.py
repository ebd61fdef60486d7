"""A queue for unit tests: in memory, and as unwilling as a test wants it. The real engines have the contract suite."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from common.dead_letter import DeadLetter, Disposition, LetterId
from common.envelope import Envelope, decode_frame
from common.queue.protocol import Books, Delivery, Depths, Message, QueueUnavailableError, Remainder
from common.queue.replaying import plan_replay


@dataclass
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

    async def settle(self, remainder: Remainder) -> None:
        if self.is_lost:
            raise QueueUnavailableError("the connection is gone")
        if self.refusals:
            raise self.refusals.pop(0)
        self.remainder = remainder
        self.settled.append("settle")

    async def hand_back(self) -> None:
        self.settled.append("hand_back")


class FakeQueue:
    """Keeps what is published. ``hold`` keeps confirms back until ``release``; ``refuse`` fails the next calls."""

    def __init__(self) -> None:
        self.unavailable: str | None = None
        self.published: list[Message] = []
        self.letters: list[DeadLetter] = []
        self.marks: list[tuple[LetterId, Disposition]] = []
        self.deliveries: asyncio.Queue[Delivery] = asyncio.Queue()
        self.depth = 0
        self.consumers = 0
        self.replayed = 0
        self.since: datetime | None = None
        self.kept_books: Books | None = None
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

    async def publish(self, message: Message) -> None:
        await self._take()
        self.published.append(message)

    @asynccontextmanager
    async def consume(self, *, prefetch: int) -> AsyncIterator[AsyncIterator[Delivery]]:
        assert prefetch > 0
        self.consumers += 1
        try:
            yield self._deliver()
        finally:
            self.consumers -= 1

    async def _deliver(self) -> AsyncIterator[Delivery]:
        while True:
            yield await self.deliveries.get()

    async def count_consumers(self) -> int:
        return self.consumers

    async def depths(self) -> Depths:
        return Depths(work=self.depth, retry=0, suspects=0, poison=0, dead=len(self.letters))

    async def waiting_since(self) -> datetime | None:
        if self.unavailable:
            raise QueueUnavailableError(self.unavailable)
        return self.since

    async def books(self) -> Books | None:
        return self.kept_books

    async def dead_letters(self) -> AsyncIterator[DeadLetter]:
        for letter in self.letters:
            yield letter

    async def mark_dead_letters(self, letter_ids: Collection[LetterId], disposition: Disposition) -> None:
        await self._take()
        self.marks.extend((letter_id, disposition) for letter_id in letter_ids)
        self.letters = [letter for letter in self.letters if letter.id not in letter_ids]

    async def replay_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        await self._take()
        self.published.extend(plan_replay(letter, datetime.now(UTC)).message for letter in letters)
        await self.mark_dead_letters([letter.id for letter in letters], Disposition.REPLAYED)

    async def count_replayed(self, since: datetime) -> int:
        assert since.tzinfo
        return self.replayed

    async def close(self) -> None:
        self.unavailable = "closed"

    async def _take(self) -> None:
        if self._refusals:
            raise self._refusals.pop(0)
        await self._confirms.wait()
