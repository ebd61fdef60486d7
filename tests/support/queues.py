"""A queue for unit tests: in memory, and as unwilling as a test wants it. The real engines have the contract suite."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from common.dead_letter import DeadLetter, Disposition
from common.envelope import Envelope, decode_frame
from common.queue.protocol import Delivery, Depths, Message, QueueUnavailableError


@dataclass
class FakeDelivery:
    """A delivery that notes how it was settled."""

    message: Message
    message_id: str = "0b3c6d0e5f8f4c1f9d6a7e8899aabbcc"
    count: int = 1
    suspect: bool = False
    poisoned: bool = False
    is_lost: bool = False
    settled: list[str] = field(default_factory=list)

    async def ack(self) -> None:
        if self.is_lost:
            raise QueueUnavailableError("the connection is gone")
        self.settled.append("ack")

    async def hand_back(self) -> None:
        self.settled.append("hand_back")


class FakeQueue:
    """Keeps what is published. ``hold`` keeps confirms back until ``release``; ``refuse`` fails the next calls."""

    def __init__(self) -> None:
        self.unavailable: str | None = None
        self.published: list[Message] = []
        self.suspects: list[Message] = []
        self.later: list[tuple[Message, timedelta]] = []
        self.letters: list[DeadLetter] = []
        self.deliveries: asyncio.Queue[Delivery] = asyncio.Queue()
        self.depth = 0
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

    async def publish_suspect(self, message: Message) -> None:
        await self._take()
        self.suspects.append(message)

    async def publish_later(self, message: Message, delay: timedelta) -> None:
        await self._take()
        self.later.append((message, delay))

    async def bury(self, letters: Sequence[DeadLetter]) -> None:
        await self._take()
        self.letters.extend(letters)

    @asynccontextmanager
    async def consume(self, *, prefetch: int) -> AsyncIterator[AsyncIterator[Delivery]]:
        assert prefetch > 0
        yield self._deliver()

    async def _deliver(self) -> AsyncIterator[Delivery]:
        while True:
            yield await self.deliveries.get()

    async def depths(self) -> Depths:
        return Depths(work=self.depth, retry=0, suspects=len(self.suspects), poison=0, dead=len(self.letters))

    async def dead_letters(self) -> AsyncIterator[DeadLetter]:
        for letter in self.letters:
            yield letter

    async def mark_dead_letters(self, uplink_ids: Collection[str], disposition: Disposition) -> None:
        assert disposition
        self.letters = [letter for letter in self.letters if letter.uplink_id not in uplink_ids]

    async def close(self) -> None:
        self.unavailable = "closed"

    async def _take(self) -> None:
        if self._refusals:
            raise self._refusals.pop(0)
        await self._confirms.wait()
