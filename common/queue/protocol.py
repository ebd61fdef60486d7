"""What the roles need of a queue, and nothing of how an engine does it.

Two engines are to pass one contract suite (``tests/contract``): RabbitMQ for production and scaled deployments,
SQLite for one machine.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from common.dead_letter import DeadLetter, Disposition
from common.envelope import FRAME_VERSION


class QueueUrlError(ValueError):
    """No engine keeps a queue at such a URL."""


class QueueUnavailableError(Exception):
    """The queue did not take, or did not confirm, what it was given: away, blocked, full or refusing.

    Transient. What was published may be in the queue all the same, so a second publish may make a duplicate.
    """


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


class Delivery(Protocol):
    """One hand-over of one message to this consumer. Exactly one of :meth:`ack` and :meth:`hand_back` ends it."""

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

    async def ack(self) -> None:
        """Take the message out of the queue.

        Raises :class:`QueueUnavailableError` when the connection that brought it is gone: it will be delivered again.
        """

    async def hand_back(self) -> None:
        """Put the message back for another consumer; it counts as one more delivery. Raises as :meth:`ack`."""


@dataclass(frozen=True, slots=True)
class Depths:
    """How many messages wait, by what they wait for."""

    work: int
    retry: int
    suspects: int
    poison: int
    dead: int
    """Entries about dead letters, marks included; an engine may count new ones some seconds late."""


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

    async def publish_suspect(self, message: Message) -> None:
        """Return when the message is durable among the suspects. Raises as :meth:`publish`."""

    async def publish_later(self, message: Message, delay: timedelta) -> None:
        """Return when the message is durable; it comes to the work queue after ``delay``, one of the retry steps.

        Raises as :meth:`publish`, and ValueError for a delay that is no step.
        """

    async def bury(self, letters: Sequence[DeadLetter]) -> None:
        """Return when the letters are durable. Raises as :meth:`publish`; then some may be stored."""

    def consume(self, *, prefetch: int) -> AbstractAsyncContextManager[AsyncIterator[Delivery]]:
        """Receive deliveries, at most ``prefetch`` unsettled at a time, through every reconnection.

        Poisoned ones may come beside them, at most as many again.

        Leaving the context stops new deliveries and hands back those that were not yet taken from the iterator; those
        that were can still be settled until the queue is closed.
        """

    async def depths(self) -> Depths:
        """Count what waits. Raises :class:`QueueUnavailableError`."""

    def dead_letters(self) -> AsyncIterator[DeadLetter]:
        """List the dead letters in the order in which they died. Takes nothing and changes nothing.

        Raises :class:`QueueUnavailableError`.
        """

    async def mark_dead_letters(self, uplink_ids: Collection[str], disposition: Disposition) -> None:
        """Take letters off the list, durably, with what was done to them. Raises as :meth:`publish`."""

    async def close(self) -> None:
        """Close the connections; what is unsettled goes back to the queue. Never raises, may be called twice."""
