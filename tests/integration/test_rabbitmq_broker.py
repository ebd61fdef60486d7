"""The RabbitMQ engine while its broker starves, refuses and restarts: a container that the tests may do anything to."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from common.queue.protocol import Message, QueueUnavailableError
from common.queue.rabbitmq.engine import RabbitQueue
from common.queue.rabbitmq.timing import Timing
from common.queue.rabbitmq.topology import Topology
from tests.support.broker import BrokerContainer
from tests.support.remains import DONE
from tests.support.waiting import eventually, take

pytestmark = [pytest.mark.rabbitmq, pytest.mark.docker]

RESTART_SECONDS = 90.0
DEADLINE_SECONDS = 10.0
QUICK = Timing(confirm_seconds=2, pause_seconds=0.2)


@pytest.fixture
async def queue(own_broker: BrokerContainer, prefix: str) -> AsyncIterator[RabbitQueue]:
    topology = Topology(prefix, (timedelta(hours=1),), timedelta(days=1))
    queue = RabbitQueue(own_broker.url, topology, name=prefix, timing=QUICK)
    yield queue
    await queue.close()


@contextmanager
def memory_alarm(broker: BrokerContainer) -> Iterator[None]:
    """Let the broker believe that its memory is used up."""
    broker.control("set_vm_memory_high_watermark", "0.00001")
    try:
        yield
    finally:
        broker.control("set_vm_memory_high_watermark", "0.6")


async def test_a_memory_alarm_fails_publishes_within_the_deadline_until_it_ends(
    own_broker: BrokerContainer, queue: RabbitQueue
) -> None:
    await queue.publish(message("before"))
    with memory_alarm(own_broker):
        await eventually(lambda: is_refused(queue))
        # By now the broker has said so, and nobody waits for it any more.
        for _ in range(3):
            with pytest.raises(QueueUnavailableError, match="alarm"):
                await asyncio.wait_for(queue.publish(message("refused")), 1)
        assert queue.unavailable
        # Consuming goes on, which is what ends the alarm.
        async with queue.consume(prefetch=1) as deliveries:
            (delivery,) = await take(deliveries, 1)
            await delivery.settle(DONE)
    await eventually(lambda: is_taken(queue))
    assert queue.unavailable is None


async def test_a_refused_publish_raises(own_broker: BrokerContainer, queue: RabbitQueue, prefix: str) -> None:
    """An operator may limit the queue by a policy; the broker then answers with a nack."""
    await queue.publish(message("a"))
    own_broker.control("set_policy", "--apply-to", "queues", prefix, f"^{prefix}", '{"max-length":1}')
    try:
        await eventually(lambda: is_refused(queue))  # the broker looks at its policies in its own time
        with pytest.raises(QueueUnavailableError, match="refused"):
            await queue.publish(message("b"))
    finally:
        own_broker.control("clear_policy", prefix)
    await eventually(lambda: is_taken(queue))


async def test_messages_and_consumers_outlive_a_restart_of_the_broker(
    own_broker: BrokerContainer, queue: RabbitQueue
) -> None:
    published = {f"message {number}" for number in range(20)}
    for text in published:
        await queue.publish(message(text))
    async with queue.consume(prefetch=5) as deliveries:
        unsettled = await take(deliveries, 5)
        await asyncio.to_thread(own_broker.restart)
        received: set[str] = set()
        while received < published:
            (delivery,) = await take(deliveries, 1, within=RESTART_SECONDS)
            received.add(delivery.message.body.decode())
            await delivery.settle(DONE)
    assert {delivery.message.body.decode() for delivery in unsettled} < received
    await eventually(lambda: is_taken(queue), within=RESTART_SECONDS)


def message(text: str) -> Message:
    return Message(text.encode(), uplinks=1)


async def is_taken(queue: RabbitQueue) -> bool:
    try:
        await asyncio.wait_for(queue.publish(message("probe")), DEADLINE_SECONDS)
    except QueueUnavailableError:
        return False
    return True


async def is_refused(queue: RabbitQueue) -> bool:
    return not await is_taken(queue)
