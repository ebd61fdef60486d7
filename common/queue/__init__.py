"""The queue: one protocol, and the engines that keep it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from common.ladder import Ladder
from common.queue.protocol import Queue, QueueUrlError
from common.queue.rabbitmq.engine import RabbitQueue
from common.queue.rabbitmq.topology import Topology
from common.queue.sqlite.engine import SqliteQueue


@asynccontextmanager
async def open_queue(
    url: str, *, prefix: str, ladder: Ladder, dead_letter_age: timedelta, name: str
) -> AsyncIterator[Queue]:
    """Open the queue at ``url``, ``amqp://…``, ``amqps://…`` or ``sqlite:PATH``, and close it on leaving.

    ``prefix`` begins every queue's name on a broker; a SQLite file holds one deployment's queues and needs none.
    ``name`` begins the names of the connections, as operators of the broker see them, or names the thread.
    Returns without waiting for the queue: whether it is there shows in :attr:`Queue.unavailable` and in each call.
    Raises :class:`QueueUrlError` for a URL of another kind.
    """
    queue = _create_queue(url, prefix, ladder, dead_letter_age, name)
    try:
        yield queue
    finally:
        await queue.close()


def _create_queue(url: str, prefix: str, ladder: Ladder, dead_letter_age: timedelta, name: str) -> Queue:
    match url.partition(":"):
        case ("amqp" | "amqps", _, _):
            return RabbitQueue(url, Topology(prefix, ladder.steps, dead_letter_age), name=name)
        case ("sqlite", ":", path) if path and not path.startswith("//"):
            return SqliteQueue(Path(path), retry_steps=ladder.steps, dead_letter_age=dead_letter_age, name=name)
        case _:  # the URL itself may hold a password
            raise QueueUrlError(
                "the queue's URL must begin with amqp:// or amqps:// (RabbitMQ), or be sqlite:PATH (a file on this"
                " machine), as in sqlite:var/queue.db or sqlite:/var/lib/sluice/queue.db"
            )
