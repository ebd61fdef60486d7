"""What the roles need of a queue, and nothing of how an engine does it.

Two engines pass one contract suite (``tests/contract``): RabbitMQ for production and scaled deployments,
SQLite for one machine.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from common.dead_letter import DeadLetter, Disposition, LetterId
from common.envelope import FRAME_VERSION


class QueueUrlError(ValueError):
    """No engine keeps a queue at such a URL."""


class QueueUnavailableError(Exception):
    """The queue did not take, or did not confirm, what it was given: away, blocked, full or refusing.

    Transient. What was published may be in the queue all the same, so a second publish may make a duplicate.
    """


class QueueMissingError(QueueUnavailableError):
    """There is no queue at the place that was named, and whoever asked is not to make one."""


class UnroutableError(QueueUnavailableError):
    """The broker is there, but the queue is not: it was deleted, and what was published went nowhere."""


class MessageTooLargeError(Exception):
    """The message is larger than the engine carries; publishing it again cannot help."""


@dataclass(frozen=True, slots=True)
class Message:
    """One encoded frame, with what must be readable without decoding it."""

    body: bytes
    uplinks: int
    attempt: int = 1
    version: int = FRAME_VERSION


@dataclass(frozen=True, slots=True)
class Remainder:
    """What is left of a delivery once its uplinks were processed, and how many of them need nothing more.

    Every uplink of the delivery is in exactly one of these, so that the books can be kept. ``put_back`` takes
    the delivery's own place again where the engine can, and waits in a retry step else.
    """

    letters: Sequence[DeadLetter] = ()
    suspects: Sequence[Message] = ()
    later: Sequence[tuple[Message, timedelta]] = ()
    put_back: Sequence[Message] = ()
    delivered: int = 0
    set_aside: int = 0

    @property
    def died(self) -> int:
        """How many uplinks the letters are about."""
        return sum(letter.uplinks for letter in self.letters)


class Delivery(Protocol):
    """One hand-over of one message to this consumer. Exactly one of :meth:`settle` and :meth:`hand_back` ends it."""

    @property
    def message(self) -> Message:
        """What was published."""

    @property
    def message_id(self) -> str:
        """The id of the message: the same at each of its deliveries."""

    @property
    def count(self) -> int:
        """Which delivery of this message this is, from 1. More than 1: an earlier consumer died or handed it back."""

    @property
    def is_lost(self) -> bool:
        """Whether the connection that brought it is gone: it can no longer be settled, and will be delivered again."""

    @property
    def suspect(self) -> bool:
        """Whether it was published as a suspect: no other suspect is delivered to this consumer until it is settled.

        So its ``count`` is its own, and not that of messages that were in hand when somebody else killed the worker.
        """

    @property
    def poisoned(self) -> bool:
        """Whether the engine gave the message up after too many deliveries: bury it, do not process it."""

    async def settle(self, remainder: Remainder) -> None:
        """Return when what remains is durable and the message is out of the queue; tries until it is, or is lost.

        Raises :class:`QueueUnavailableError` when it was lost: it will be delivered again, and some of the remainder
        may be in the queue as well. Raises, before anything has changed, :class:`MessageTooLargeError` or TypeError for
        what can never be stored, and ValueError for a delay that is none of the retry steps.
        """

    async def hand_back(self) -> None:
        """Put the message back for another consumer; it counts as one more delivery.

        Raises :class:`QueueUnavailableError` when the connection that brought it is gone, which has the same effect.
        """


@dataclass(frozen=True, slots=True)
class Depths:
    """How many messages wait, by what they wait for."""

    work: int
    retry: int
    suspects: int
    poison: int
    dead: int
    """Entries about dead letters, marks included; an engine may count new ones some seconds late."""


@dataclass(frozen=True, slots=True)
class Books:
    """What came into the queue and what became of it, in uplinks, since the queue was made."""

    accepted: int
    replayed: int
    """Dead letters that were put back into the queue."""
    delivered: int
    set_aside: int
    died: int
    """Uplinks that became dead letters, those included that were replayed or purged later."""
    in_queue: int

    @property
    def surplus(self) -> int:
        """How many uplinks there are too many; below 0: are missing. 0: nothing was lost and nothing doubled."""
        return self.delivered + self.set_aside + self.died + self.in_queue - self.accepted - self.replayed


class Queue(Protocol):
    """A durable queue of frames. Obtained from :func:`common.queue.open_queue`; safe to share between tasks."""

    @property
    def unavailable(self) -> str | None:
        """Why the queue is away, as far as is known without asking it; None while it is there."""

    async def publish(self, message: Message) -> None:
        """Return when the message is durable in the work queue.

        Raises :class:`QueueUnavailableError` within the engine's deadline, never later, :class:`UnroutableError` when
        the queue was deleted, :class:`MessageTooLargeError` for a message that can never be taken.
        """

    def consume(self, *, prefetch: int) -> AbstractAsyncContextManager[AsyncIterator[Delivery]]:
        """Receive deliveries, at most ``prefetch`` unsettled at a time, through every reconnection.

        Poisoned ones may come beside them, at most as many again.

        Leaving the context stops new deliveries and hands back those that were not yet taken from the iterator; those
        that were can still be settled until the queue is closed.
        """

    async def count_consumers(self) -> int:
        """Count those who consume, in all processes; this one among them. Raises :class:`QueueUnavailableError`."""

    async def count_waiting(self) -> int:
        """Count the messages that wait in the work queue. Raises :class:`QueueUnavailableError`."""

    async def depths(self) -> Depths:
        """Count what waits, there and elsewhere. Raises :class:`QueueUnavailableError`."""

    async def waiting_since(self) -> datetime | None:
        """Say since when, at the least, the oldest uplink waits in the work queue; None where that cannot be seen.

        It counts from its arrival where it is new and can be read without taking it, else from when this queue was
        first asked and it waited already. What waits out a retry step does not count. An engine that cannot look at
        messages gives None while there are consumers: the oldest is then among what they have in hand. Raises
        :class:`QueueUnavailableError`.
        """

    async def books(self) -> Books | None:
        """Give the books as of one moment; None from an engine that keeps none. Raises as :meth:`depths`."""

    def dead_letters(self) -> AsyncIterator[DeadLetter]:
        """List the dead letters in the order in which they died. Takes nothing and changes nothing.

        Raises :class:`QueueUnavailableError`.
        """

    async def mark_dead_letters(self, letter_ids: Collection[LetterId], disposition: Disposition) -> None:
        """Take letters off the list, durably, with what was done to them. Raises as :meth:`publish`.

        An uplink that has died again since stays on the list: it has another letter by now.
        """

    async def replay_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        """Put letters back into the work queue, with all attempts before them, and take them off the list.

        Raises as :meth:`publish`, then some may be in the queue and on the list, and none is in neither; and ValueError
        for a letter that is cut, before anything has changed.
        """

    async def count_replayed(self, since: datetime) -> int:
        """Count the uplinks of letters that were replayed from ``since`` on. Raises :class:`QueueUnavailableError`."""

    async def close(self) -> None:
        """Close the connections; what is unsettled goes back to the queue. Never raises, may be called twice."""
