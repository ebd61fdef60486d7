"""The engine of live events that belongs to a queue."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from pydantic import SecretStr

from common.events.engine import Events, EventTiming
from common.events.event_token import find_token
from common.events.exchanges import EventNames
from common.events.rabbitmq import RabbitEvents
from common.events.streaming import ServedEvents
from common.queue.protocol import QueueUrlError
from common.tls import NO_FILES, TlsFiles


@asynccontextmanager
async def open_events(
    queue: str,
    *,
    prefix: str,
    name: str,
    token: SecretStr | None = None,
    tls: TlsFiles = NO_FILES,
    timing: EventTiming | None = None,
) -> AsyncIterator[Events]:
    """Open the events of the deployment whose queue is at this URL, which :func:`common.queue.open_queue` takes too.

    On RabbitMQ they travel through the broker. Where the queue is in a file, every process serves its own, to whoever
    shows ``token`` or, where that is None, what stands in a file beside the queue. Raises :class:`QueueUrlError`.
    """
    path = read_path(queue)
    if path is None:
        if not queue.startswith(("amqp://", "amqps://")):
            raise QueueUrlError("the queue's URL must begin with amqp://, amqps:// or sqlite:")
        events = RabbitEvents(queue, EventNames(prefix), name=name, tls=tls, timing=timing)
        try:
            yield events
        finally:
            await events.close()
    else:
        hub = ServedEvents(partial(find_token, path, token), timing)
        try:
            yield hub
        finally:
            hub.close()


def read_path(queue: str) -> Path | None:
    """Give the file of a queue that is in one; None for a queue on a broker."""
    scheme, _, path = queue.partition(":")
    return Path(path) if scheme == "sqlite" else None
