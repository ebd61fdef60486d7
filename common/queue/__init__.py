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
from common.tls import NO_FILES, TlsFiles, create_client_context


@asynccontextmanager
async def open_queue(
    url: str,
    *,
    prefix: str,
    ladder: Ladder,
    dead_letter_age: timedelta,
    name: str,
    tls: TlsFiles = NO_FILES,
    existing_only: bool = False,
) -> AsyncIterator[Queue]:
    """Open the queue at ``url``, ``amqp://…``, ``amqps://…`` or ``sqlite:PATH``, and close it on leaving.

    ``prefix`` begins every queue's name on a broker; a SQLite file holds one deployment's queues and needs none.
    ``name`` begins the names of the connections, as operators of the broker see them, or names the thread.
    ``tls`` is for ``amqps``, and read at each connection, so that renewed certificates are found.
    ``existing_only``: where there is no queue none is made, and every call raises :class:`QueueUnavailableError`. That
    is for operators' tools: a name that was mistyped must not look like a queue that is empty.
    Returns without waiting for the queue: whether it is there shows in :attr:`Queue.unavailable` and in each call.
    Raises :class:`QueueUrlError` for a URL of another kind, and :class:`TlsError`.
    """
    topology = Topology(prefix, ladder.steps, dead_letter_age)
    queue = _create_queue(url, topology, name=name, tls=tls, existing_only=existing_only)
    try:
        yield queue
    finally:
        await queue.close()


def _create_queue(url: str, topology: Topology, *, name: str, tls: TlsFiles, existing_only: bool) -> Queue:
    match url.partition(":"):
        case ("amqp" | "amqps" as scheme, _, _):
            if scheme == "amqps":
                create_client_context(tls)  # what is wrong with the files is said now, and not by every connection
            return RabbitQueue(url, topology, name=name, tls=tls, existing_only=existing_only)
        case ("sqlite", ":", path) if path and not path.startswith("//"):
            return SqliteQueue(
                Path(path),
                retry_steps=topology.retry_steps,
                dead_letter_age=topology.dead_letter_age,
                name=name,
                existing_only=existing_only,
            )
        case _:  # the URL itself may hold a password
            raise QueueUrlError(
                "the queue's URL must begin with amqp:// or amqps:// (RabbitMQ), or be sqlite:PATH (a file on this"
                " machine), as in sqlite:var/queue.db or sqlite:/var/lib/sluice/queue.db"
            )
