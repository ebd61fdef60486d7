"""Declaring the queues, and counting what is in them."""

from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import ChannelNotFoundEntity, ChannelPreconditionFailed

from common.queue.protocol import QueueMissingError
from common.queue.rabbitmq.problems import QueueDeletedError, QueueMismatchError
from common.queue.rabbitmq.topology import Topology


async def declare(channel: AbstractChannel, topology: Topology) -> None:
    """Make sure that every queue exists; raises :class:`QueueMismatchError` for one that is there in another form."""
    for queue in topology.queues:
        try:
            await channel.declare_queue(queue.name, durable=True, arguments=dict(queue.arguments))
        except ChannelPreconditionFailed as error:
            raise QueueMismatchError(queue.name, str(error)) from error


async def count_consumers(channel: AbstractChannel, queue: str) -> int:
    """Give the number of consumers of ``queue``, exact at this moment."""
    declared = await channel.declare_queue(queue, passive=True)
    return declared.declaration_result.consumer_count or 0


async def is_untouched(channel: AbstractChannel, queue: str) -> bool:
    """Whether messages are ready in ``queue`` and there is nobody who would take them."""
    declared = (await channel.declare_queue(queue, passive=True)).declaration_result
    return bool(declared.message_count) and not declared.consumer_count


async def require(channel: AbstractChannel, topology: Topology) -> None:
    """Make sure that there are such queues, and make none; raises :class:`QueueMissingError`."""
    for queue in (topology.work, topology.dead):
        try:
            await channel.declare_queue(queue, passive=True)
        except ChannelNotFoundEntity as error:
            raise QueueMissingError(
                f"there is no queue {queue!r}; check the prefix of the queues, and the virtual host in the URL"
            ) from error


async def count_messages(channel: AbstractChannel, queue: str) -> int:
    """Give the number of messages that are ready in ``queue``; for a stream, as it was some seconds ago.

    Raises :class:`QueueDeletedError`.
    """
    try:
        declared = await channel.declare_queue(queue, passive=True)
    except ChannelNotFoundEntity as error:
        raise QueueDeletedError(queue) from error
    return declared.declaration_result.message_count or 0
