"""Live events on RabbitMQ: the names and arguments of what they travel through, and their messages.

The exchanges stay, as the queues do. Everything else is gone with the connection that made it: exclusive queues, which
are also the only transient ones that RabbitMQ takes from 4.3 on.
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aio_pika
from aio_pika import DeliveryMode, ExchangeType
from aio_pika.abc import AbstractChannel, AbstractExchange, AbstractIncomingMessage, AbstractQueue
from aio_pika.exceptions import ChannelNotFoundEntity

from common.queue.protocol import QueueMissingError
from common.queue.rabbitmq.session import Session

QUEUE_BYTES = 20_000_000
"""What waits in one queue at the broker; the oldest goes first, there as beyond the number of messages."""

SAMPLED = "sampled"
"""Header of :attr:`Told.sampled`."""

EXPIRES_SECONDS = 60
"""For a queue that nobody consumes; while its connection lives, that is a viewer which is about to begin."""


@dataclass(frozen=True, slots=True)
class EventNames:
    """What a deployment's events travel through; ``prefix`` keeps several apart on one broker."""

    prefix: str

    @property
    def events(self) -> str:
        """The exchange by which every viewer gets the events."""
        return f"{self.prefix}.events"

    @property
    def viewers(self) -> str:
        """The exchange by which every process hears who watches."""
        return f"{self.prefix}.viewers"

    def queue(self, exchange: str, owner: str) -> str:
        """The queue of one viewer, or of one process that listens for viewers."""
        return f"{exchange}.{owner}"


async def declare_exchanges(channel: AbstractChannel, names: EventNames) -> None:
    """Make sure that both exchanges exist."""
    for name in (names.events, names.viewers):
        await channel.declare_exchange(name, ExchangeType.FANOUT, durable=True)


async def require_exchanges(channel: AbstractChannel, names: EventNames) -> None:
    """Make sure that both exchanges exist, and make none; raises :class:`QueueMissingError`."""
    for name in (names.events, names.viewers):
        try:
            await channel.declare_exchange(name, passive=True)
        except ChannelNotFoundEntity as error:
            raise QueueMissingError(
                f"there is no exchange {name!r}: no process of this version was ever started with this prefix of the"
                " queues, and this virtual host"
            ) from error


async def subscribe(channel: AbstractChannel, exchange: str, queue: str, *, most: int) -> AbstractQueue:
    """Make a queue that lives as long as the connection, and bind it to everything that an exchange is given."""
    declared = await channel.declare_queue(
        queue,
        durable=False,
        exclusive=True,
        arguments={
            "x-queue-type": "classic",  # an exclusive queue can be nothing else, whatever the host's default is
            "x-max-length": most,
            "x-max-length-bytes": QUEUE_BYTES,
            "x-overflow": "drop-head",
            "x-expires": EXPIRES_SECONDS * 1_000,
        },
    )
    await declared.bind(exchange)
    return declared


async def get_exchange(channel: AbstractChannel, name: str) -> AbstractExchange:
    """Give an exchange that exists to publish to."""
    return await channel.get_exchange(name, ensure=False)


@asynccontextmanager
async def dropping_with(channel: AbstractChannel, session: Session) -> AsyncIterator[None]:
    """End the session when the broker closes this channel of it; the link makes another one then."""

    def drop(*_: object) -> None:
        session.drop("the broker closed the channel of events")

    channel.close_callbacks.add(drop)
    try:
        yield
    finally:
        channel.close_callbacks.discard(drop)


@dataclass(frozen=True, slots=True)
class Told:
    """What the message of several events says beside them.

    ``source`` is the process that they happened in, ``number`` that of the newest there, those counted that were
    dropped. ``sampled`` says of how many uplinks a viewer is told of one, by its name, where that is not each of them.
    """

    source: str
    number: int
    sampled: Mapping[str, int] = field(default_factory=dict)


def build_announcement_message(body: bytes) -> aio_pika.Message:
    """Make the message of an announcement."""
    return aio_pika.Message(body, content_type="application/json", delivery_mode=DeliveryMode.NOT_PERSISTENT)


def build_events_message(events: Iterable[bytes], told: Told) -> aio_pika.Message:
    """Make one message of events that are encoded already: a JSON array."""
    return aio_pika.Message(
        b"[%b]" % b",".join(events),
        content_type="application/json",
        delivery_mode=DeliveryMode.NOT_PERSISTENT,
        app_id=told.source,
        message_id=str(told.number),
        headers={SAMPLED: dict(told.sampled)} if told.sampled else None,
    )


def read_told(incoming: AbstractIncomingMessage) -> Told | None:
    """Read what a message says beside its events; None where it says nothing that this version reads."""
    number, sampled = incoming.message_id or "", incoming.headers.get(SAMPLED)
    if not incoming.app_id or not number.isdecimal():
        return None
    said = sampled.items() if isinstance(sampled, dict) else ()
    return Told(incoming.app_id, int(number), {name: one_in for name, one_in in said if isinstance(one_in, int)})
