"""The queue: one protocol, and the engines that keep it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from common.ladder import Ladder
from common.queue.protocol import Queue
from common.queue.rabbitmq.engine import RabbitQueue
from common.queue.rabbitmq.topology import Topology


@asynccontextmanager
async def open_queue(
    url: str, *, prefix: str, ladder: Ladder, dead_letter_age: timedelta, name: str
) -> AsyncIterator[Queue]:
    """Open the queue at ``url`` and close it on leaving.

    ``prefix`` begins every queue's name, ``name`` the names of the connections, as operators of the broker see them.
    Returns without waiting for the broker: whether it is there shows in :attr:`Queue.unavailable` and in each call.
    Raises ValueError for a URL of another kind.
    """
    queue = _create_queue(url, Topology(prefix, ladder.steps, dead_letter_age), name)
    try:
        yield queue
    finally:
        await queue.close()


def _create_queue(url: str, topology: Topology, name: str) -> Queue:
    match url.partition(":")[0]:
        case "amqp" | "amqps":
            return RabbitQueue(url, topology, name=name)
        case _:  # the URL itself may hold a password
            raise ValueError("the queue's URL must begin with amqp:// or amqps:// (RabbitMQ)")
