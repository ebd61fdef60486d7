"""Making durable what remains of a delivery, before the delivery goes.

A crash in between makes a duplicate, never a loss.
"""

import uuid
from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeAlias

import aio_pika

from common.queue.persisting import persist
from common.queue.protocol import Message, Remainder
from common.queue.rabbitmq.messages import encode_copy, encode_letter, encode_message
from common.queue.rabbitmq.publisher import Publisher, publish_in_turns
from common.queue.rabbitmq.topology import Topology

Addressed: TypeAlias = tuple[aio_pika.Message, str]
"""A message, and the queue that it is for."""


class Settler:
    """Publishes on behalf of deliveries; shared by all consumers of one queue."""

    def __init__(self, publisher: Publisher, topology: Topology) -> None:
        self._publisher = publisher
        self._topology = topology

    def address(self, remainder: Remainder) -> list[Addressed]:
        """Encode what remains, and say where each part goes.

        Raises as :meth:`common.queue.protocol.Delivery.settle` for what can never be stored: nothing is published then.
        """
        topology = self._topology
        return [
            *((encode_letter(letter), topology.dead) for letter in remainder.letters),
            *((encode_message(message), topology.suspects) for message in remainder.suspects),
            *((encode_message(message), topology.retry(delay)) for message, delay in remainder.later),
            *((encode_message(message), topology.put_back) for message in remainder.put_back),
        ]

    async def make_durable(self, parts: Iterable[Addressed], is_lost: Callable[[], bool]) -> None:
        """Return when the queue has all parts.

        Raises :class:`QueueUnavailableError` when the delivery was lost before that: then it comes again as a whole.
        """
        await publish_in_turns(persist(partial(self._publish, *part), is_lost) for part in parts)

    async def publish_copy(self, message: Message, queue: str, *, message_id: str, count: int) -> None:
        """Put what came from ``queue`` with its ``count``-th delivery behind what waits there. Raises as a publish."""
        await self._publisher.publish(encode_copy(message, message_id=message_id, count=count), queue)

    async def _publish(self, message: aio_pika.Message, queue: str) -> None:
        message.message_id = uuid.uuid4().hex  # the answer to an earlier try may still be under way
        await self._publisher.publish(message, queue)
