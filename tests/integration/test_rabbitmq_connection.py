"""The RabbitMQ engine on a network that breaks: every call ends in time, and everything works again afterwards."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

import aio_pika
import pytest
import structlog
from aio_pika.abc import AbstractChannel

from common.dead_letter import DeadLetter
from common.queue.protocol import Message, QueueUnavailableError
from common.queue.rabbitmq.engine import RabbitQueue
from common.queue.rabbitmq.timing import Timing
from common.queue.rabbitmq.topology import Topology
from tests.support.proxy import Proxy
from tests.support.remains import DONE, settle_one
from tests.support.waiting import eventually, take, take_one

T = TypeVar("T")

pytestmark = pytest.mark.rabbitmq

QUICK = Timing(
    connect_seconds=2,
    confirm_seconds=0.6,
    answer_seconds=0.6,
    pause_seconds=0.1,
    quiet_seconds=0.5,
    goodbye_seconds=0.3,
)
"""The engine's own times, shortened so that a test need not wait for them."""

PATIENT = Timing(
    connect_seconds=3600, confirm_seconds=3600, answer_seconds=3600, pause_seconds=3600, goodbye_seconds=0.3
)
"""Under these only what fails at once fails at all."""

DEADLINE_SECONDS = 10.0
"""For what has to end by itself; far above QUICK, far below PATIENT."""


@asynccontextmanager
async def opened(url: str, topology: Topology, timing: Timing = QUICK) -> AsyncIterator[RabbitQueue]:
    """Open the engine with times of the test's own."""
    queue = RabbitQueue(url, topology, name=topology.prefix, timing=timing)
    try:
        yield queue
    finally:
        await queue.close()


@asynccontextmanager
async def opened_channel(url: str) -> AsyncIterator[AbstractChannel]:
    """A channel beside the engine's."""
    async with await aio_pika.connect(url) as connection, connection.channel() as channel:
        yield channel


async def look(queue: RabbitQueue, *, times: int) -> None:
    """Do what every process does again and again."""
    for _ in range(times):
        await queue.depths()
        await queue.count_consumers()
        await queue.waiting_since()


async def can_look(queue: RabbitQueue) -> bool:
    with suppress(QueueUnavailableError):
        await look(queue, times=1)
        return True
    return False


def count_tasks() -> int:
    """Count the tasks in memory, those that have ended and are still held included."""
    gc.collect()
    return sum(isinstance(held, asyncio.Task) for held in gc.get_objects())


async def test_a_publish_at_start_waits_for_the_connection_that_is_being_made(proxy: Proxy, topology: Topology) -> None:
    async with opened(proxy.url, topology) as queue:
        await queue.publish(message("a"))


async def test_a_broker_that_is_away_at_start_fails_publishes_until_it_comes(proxy: Proxy, topology: Topology) -> None:
    proxy.refuse()
    async with opened(proxy.url, topology) as queue:
        with pytest.raises(QueueUnavailableError):
            await ends(queue.publish(message("a")))
        assert queue.unavailable
        await proxy.heal()
        await publish_until_taken(queue, message("b"))
        assert queue.unavailable is None


async def test_a_broker_that_never_answers_at_start_fails_publishes_within_the_deadline(
    proxy: Proxy, topology: Topology
) -> None:
    proxy.blackhole()
    async with opened(
        proxy.url, topology, Timing(connect_seconds=0.3, pause_seconds=0.1, goodbye_seconds=0.1)
    ) as queue:
        with pytest.raises(QueueUnavailableError, match="did not answer"):
            await ends(queue.publish(message("a")))


async def test_a_vanished_broker_fails_publishes_within_the_deadline_until_it_is_back(
    proxy: Proxy, topology: Topology
) -> None:
    async with opened(proxy.url, topology) as queue:
        await queue.publish(message("a"))
        proxy.blackhole()
        before = proxy.accepted
        with pytest.raises(QueueUnavailableError, match="did not answer"):
            await ends(queue.publish(message("b")))
        await eventually(lambda: proxy.accepted > before)  # it does not wait for the old connection any longer
        await proxy.heal()
        await publish_until_taken(queue, message("c"))


async def test_a_vanished_broker_fails_a_publish_that_no_buffer_holds(proxy: Proxy, topology: Topology) -> None:
    """What cannot even be written fails like what is not confirmed, and leaves no socket behind that waits for it."""
    async with opened(proxy.url, topology) as queue:
        await queue.publish(message("a"))
        socket = sockets_of(queue)[0]
        proxy.blackhole()
        with pytest.raises(QueueUnavailableError):
            await ends(queue.publish(Message(b"x" * 14_000_000, uplinks=1)))
        with suppress(ConnectionError):
            await ends(socket.wait_closed())


async def test_publishes_fail_at_once_while_the_broker_is_known_to_be_away(proxy: Proxy, topology: Topology) -> None:
    async with opened(proxy.url, topology, PATIENT) as queue:
        await queue.publish(message("a"))
        await proxy.cut()
        await eventually(lambda: queue.unavailable)
        for _ in range(3):
            with pytest.raises(QueueUnavailableError):
                await ends(queue.publish(message("b")))


async def test_publishes_under_way_fail_when_the_connection_breaks(proxy: Proxy, topology: Topology) -> None:
    async with opened(proxy.url, topology, PATIENT) as queue:
        await queue.publish(message("a"))
        proxy.blackhole()
        publishes = [asyncio.create_task(queue.publish(message("b"))) for _ in range(20)]
        await eventually(lambda: proxy.is_holding)
        await proxy.cut()
        results = await ends(asyncio.gather(*publishes, return_exceptions=True))
        assert all(isinstance(result, QueueUnavailableError) for result in results), results


async def test_publishes_under_way_fail_when_the_queue_is_closed(proxy: Proxy, topology: Topology) -> None:
    async with opened(proxy.url, topology, PATIENT) as queue:
        await queue.publish(message("a"))
        proxy.blackhole()
        publishes = [asyncio.create_task(queue.publish(message("b"))) for _ in range(20)]
        await eventually(lambda: proxy.is_holding)
        await queue.close()
        results = await ends(asyncio.gather(*publishes, return_exceptions=True))
        assert all(isinstance(result, QueueUnavailableError) for result in results), results


async def test_cancelling_a_publish_is_a_cancellation(proxy: Proxy, topology: Topology) -> None:
    async with opened(proxy.url, topology, PATIENT) as queue:
        await queue.publish(message("a"))
        proxy.blackhole()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await queue.publish(message("b"))


async def test_depths_and_dead_letters_end_within_the_deadline_when_the_broker_vanishes(
    proxy: Proxy, topology: Topology
) -> None:
    async with opened(proxy.url, topology) as queue:
        await queue.depths()
        proxy.blackhole()
        with pytest.raises(QueueUnavailableError):
            await ends(queue.depths())
        with pytest.raises(QueueUnavailableError):
            await ends(listed(queue))


async def test_looking_at_the_queue_again_and_again_keeps_nothing_in_memory(amqp_url: str, topology: Topology) -> None:
    """A process does it every second for as long as its connection lives, and the libraries keep what channels were."""
    async with opened(amqp_url, topology) as queue:
        await look(queue, times=3)
        before = count_tasks()
        await look(queue, times=20)
        assert count_tasks() < before + 10


async def test_who_was_refused_something_leaves_the_next_one_a_channel_that_works(
    amqp_url: str, topology: Topology
) -> None:
    async with opened(amqp_url, topology) as queue:
        await look(queue, times=1)
        async with opened_channel(amqp_url) as channel:
            await channel.queue_delete(topology.work)
        for _ in range(2):
            with pytest.raises(QueueUnavailableError):
                await queue.depths()
        async with opened(amqp_url, topology):  # which declares it again
            await eventually(lambda: can_look(queue))


async def test_a_consumer_resumes_after_a_cut_and_gets_again_what_was_unsettled(
    proxy: Proxy, topology: Topology
) -> None:
    async with opened(proxy.url, topology) as queue:
        await publish_all(queue, "a", "b")
        async with queue.consume(prefetch=1) as deliveries:
            first = await take_one(deliveries)
            await proxy.cut()
            again = await take_one(deliveries)
            assert again.message_id == first.message_id
            assert again.count == 2
            with pytest.raises(QueueUnavailableError):
                await first.settle(DONE)
            await again.settle(DONE)
            assert (await take_one(deliveries)).message == message("b")


async def test_a_consumer_resumes_after_the_broker_vanished_and_came_back(proxy: Proxy, topology: Topology) -> None:
    """Nothing is sent that would go unanswered: only the missing heartbeats tell. This takes three of them."""
    async with opened(f"{proxy.url}?heartbeat=1", topology) as queue, queue.consume(prefetch=1) as deliveries:
        await queue.depths()
        proxy.blackhole()
        before = proxy.accepted
        await eventually(lambda: proxy.accepted >= before + 2)
        await proxy.heal()
        await publish_until_taken(queue, message("a"))
        assert (await take_one(deliveries)).message == message("a")


async def test_deliveries_of_a_lost_connection_are_not_handed_out(proxy: Proxy, topology: Topology) -> None:
    async with opened(proxy.url, topology) as queue:
        await publish_all(queue, "a", "b", "c")
        async with queue.consume(prefetch=3) as deliveries:
            await take_one(deliveries)
            await eventually(lambda: has_depth(queue, 0))  # the other two wait in the buffer
            proxy.refuse()
            await proxy.cut()
            before = proxy.accepted
            await eventually(lambda: proxy.accepted >= before + 4)  # the loss is known
            await proxy.heal()
            for delivery in await take(deliveries, 3):
                await delivery.settle(DONE)
        await eventually(lambda: has_depth(queue, 0))


async def test_a_delivery_that_is_lost_in_the_buffer_is_skipped(proxy: Proxy, topology: Topology) -> None:
    async with opened(proxy.url, topology) as queue:
        await publish_all(queue, "a", "b")
        async with queue.consume(prefetch=2) as deliveries:
            await take_one(deliveries)
            await eventually(lambda: has_depth(queue, 0))
            session = await queue._reading.session()
            session.drop("the test says so")
            await settle_one(deliveries)  # nobody had time to empty the buffer


async def test_leaving_the_context_ends_while_the_broker_is_away(proxy: Proxy, topology: Topology) -> None:
    async with opened(proxy.url, topology) as queue:
        await publish_all(queue, "a", "b")
        async with asyncio.timeout(DEADLINE_SECONDS), queue.consume(prefetch=2) as deliveries:
            await take_one(deliveries)
            proxy.blackhole()


async def test_a_consumer_may_start_before_the_broker(proxy: Proxy, topology: Topology) -> None:
    proxy.refuse()
    async with opened(proxy.url, topology) as queue, queue.consume(prefetch=1) as deliveries:
        await eventually(lambda: proxy.accepted >= 2)
        await proxy.heal()
        await publish_until_taken(queue, message("a"))
        assert (await take_one(deliveries)).message == message("a")


async def test_closing_ends_while_the_broker_is_away(proxy: Proxy, topology: Topology) -> None:
    async with opened(proxy.url, topology) as queue:
        await queue.publish(message("a"))
        await queue.depths()
        proxy.blackhole()
        await ends(queue.close())


async def test_a_loss_is_logged_when_its_reason_changes_and_never_with_the_password(
    proxy: Proxy, topology: Topology
) -> None:
    with structlog.testing.capture_logs() as logs:
        async with opened(proxy.url, topology) as queue:
            await queue.publish(message("a"))
            proxy.refuse()
            await proxy.cut()
            await eventually(lambda: proxy.accepted >= 6)
            await proxy.heal()
            await publish_until_taken(queue, message("b"))
    events = [entry["event"] for entry in logs]
    assert events.count("queue.connected") == 2
    assert 1 <= events.count("queue.lost") <= 2, logs  # the cut, and then one line for all refusals
    assert "guest" not in repr(logs)


def message(text: str) -> Message:
    return Message(text.encode(), uplinks=1)


async def publish_all(queue: RabbitQueue, *texts: str) -> None:
    for text in texts:
        await queue.publish(message(text))


async def publish_until_taken(queue: RabbitQueue, published: Message) -> None:
    async def taken() -> bool:
        try:
            await queue.publish(published)
        except QueueUnavailableError:
            return False
        return True

    await eventually(taken)


async def ends(call: Awaitable[T]) -> T:
    return await asyncio.wait_for(call, DEADLINE_SECONDS)


def sockets_of(queue: RabbitQueue) -> list[asyncio.StreamWriter]:
    """Give the open sockets: a leak of them is not to be seen from outside."""
    sessions = [link._session for link in (queue._publishing, queue._reading)]
    writers = [session._transport._writer for session in sessions if session is not None]
    return [writer for writer in writers if writer is not None]


async def has_depth(queue: RabbitQueue, work: int) -> bool:
    return (await queue.depths()).work == work


async def listed(queue: RabbitQueue) -> list[DeadLetter]:
    return [letter async for letter in queue.dead_letters()]
