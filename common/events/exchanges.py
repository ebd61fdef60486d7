"""Live events on RabbitMQ: the names and arguments of what they travel through, and their messages.

The exchanges stay, as the queues do. Everything else is gone with the connection that made it: exclusive queues, which
are also the only transient ones that RabbitMQ takes from 4.3 on.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aio_pika
from aio_pika import DeliveryMode, ExchangeType
from aio_pika.abc import AbstractChannel, AbstractExchange, AbstractIncomingMessage, AbstractQueue
from aio_pika.exceptions import ChannelNotFoundEntity

from common.events.event import Event
from common.queue.protocol import QueueMissingError
from common.queue.rabbitmq.session import Session

QUEUE_BYTES = 20_000_000
"""What waits in one queue at the broker; the oldest goes first, there as beyond the number of messages."""

EXPIRES_SECONDS = 60
"""For a queue that nobody consumes; while its connection lives, that is a viewer which is about to begin."""

EVERYTHING = "#"


@dataclass(frozen=True, slots=True)
class EventNames:
    """What a deployment's events travel through; ``prefix`` keeps several apart on one broker."""

    prefix: str

    @property
    def events(self) -> str:
        """The topic exchange of events: ``<stage>``, or ``<stage>.<reason>`` where there is one."""
        return f"{self.prefix}.events"

    @property
    def viewers(self) -> str:
        """The exchange by which every process hears who watches."""
        return f"{self.prefix}.viewers"

    def queue(self, exchange: str, owner: str) -> str:
        """The queue of one viewer, or of one process that listens for viewers."""
        return f"{exchange}.{owner}"


def route(event: Event) -> str:
    """Give the routing key of an event."""
    return event.stage if event.reason is None else f"{event.stage}.{event.reason}"


async def declare_exchanges(channel: AbstractChannel, names: EventNames) -> None:
    """Make sure that both exchanges exist."""
    await channel.declare_exchange(names.events, ExchangeType.TOPIC, durable=True)
    await channel.declare_exchange(names.viewers, ExchangeType.FANOUT, durable=True)


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
    await declared.bind(exchange, EVERYTHING)
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


def build_message(body: bytes, *, source: str = "", number: int = 0) -> aio_pika.Message:
    """Make the message of an event, which says whose it is and its number there, or of an announcement."""
    return aio_pika.Message(
        body,
        content_type="application/json",
        delivery_mode=DeliveryMode.NOT_PERSISTENT,
        app_id=source or None,
        message_id=str(number),
    )


def read_number(incoming: AbstractIncomingMessage) -> tuple[str, int] | None:
    """Give whose event this is, and its number there; None where it does not say so."""
    text = incoming.message_id or ""
    return (incoming.app_id, int(text)) if incoming.app_id and text.isdecimal() else None
