"""The RabbitMQ engine's queues on a real broker: what is on the wire, what is poison, what others do to them."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, DeliveryMode
from aiormq.exceptions import ConnectionInternalError

from common.dead_letter import DeadLetter, DeadLetterList, Disposition
from common.envelope import FRAME_VERSION
from common.metrics import REGISTRY
from common.queue.limits import DELIVERY_LIMIT
from common.queue.protocol import Message, QueueUnavailableError, Remainder
from common.queue.rabbitmq.dead_letters import StreamReader
from common.queue.rabbitmq.delivery import RabbitDelivery
from common.queue.rabbitmq.engine import RabbitQueue
from common.queue.rabbitmq.messages import encode_message
from common.queue.rabbitmq.problems import QueueDeletedError, StreamNotReadyError
from common.queue.rabbitmq.publisher import Publisher
from common.queue.rabbitmq.settling import Settler
from common.queue.rabbitmq.topology import Topology
from common.reason import Reason
from tests.support.remains import DONE, bury, put_off, settle_one
from tests.support.waiting import eventually, take, take_one

pytestmark = pytest.mark.rabbitmq

MESSAGE = Message(b"a", uplinks=3, attempt=2, version=1)
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
LETTER = DeadLetter("frame/0", Reason.ENVELOPE_UNSUPPORTED, "", 1, NOON, NOON, frame=b"?")
UNREACHED_ON_4 = 20
"""RabbitMQ 4's own delivery limit, after which it would drop a message."""


@pytest.fixture
async def queue(amqp_url: str, topology: Topology) -> AsyncIterator[RabbitQueue]:
    queue = RabbitQueue(amqp_url, topology, name=topology.prefix)
    yield queue
    await queue.close()


async def test_the_queues_are_named_by_prefix_purpose_and_delay() -> None:
    topology = Topology(
        "p", tuple(map(timedelta, (0, 0, 0, 0, 0), (0, 5, 30, 120, 3600), (200_000, 0, 0, 0, 0))), timedelta(days=90)
    )
    assert [queue.name for queue in topology.queues] == [
        "p.poison",
        "p.uplinks",
        "p.suspects",
        "p.retry.200ms",
        "p.retry.5s",
        "p.retry.30s",
        "p.retry.2m",
        "p.retry.1h",
        "p.dead",
    ]


async def test_a_retry_step_below_a_millisecond_is_refused() -> None:
    with pytest.raises(ValueError, match="millisecond"):
        _ = Topology("p", (timedelta(microseconds=1),), timedelta(days=1)).queues


async def test_a_message_on_the_wire_is_as_documented(
    queue: RabbitQueue, topology: Topology, channel: AbstractChannel
) -> None:
    await queue.publish(MESSAGE)
    incoming = await get(channel, topology.work)
    assert incoming.body == b"a"
    assert incoming.content_type == "application/json"
    assert incoming.delivery_mode == DeliveryMode.PERSISTENT
    assert {name: incoming.headers[name] for name in ("uplinks", "attempt", "version")} == {
        "uplinks": 3,
        "attempt": 2,
        "version": 1,
    }
    assert incoming.message_id
    assert len(incoming.message_id) == 32


async def test_a_dead_letter_on_the_wire_names_its_reason(
    queue: RabbitQueue, topology: Topology, channel: AbstractChannel
) -> None:
    await bury(queue, [LETTER])
    await queue.mark_dead_letters([LETTER.id], Disposition.PURGED)
    entries: list[AbstractIncomingMessage] = []

    async def receive(incoming: AbstractIncomingMessage) -> None:
        entries.append(incoming)

    await channel.set_qos(prefetch_count=10)
    stream = await channel.get_queue(topology.dead, ensure=False)
    await stream.consume(receive, arguments={"x-stream-offset": "first"})
    await eventually(lambda: len(entries) == 2)
    assert [(entry.headers["entry"], entry.headers.get("reason")) for entry in entries] == [
        ("letter", "envelope_unsupported"),
        ("purged", None),
    ]


@pytest.mark.parametrize(
    "headers",
    [{}, {"uplinks": "many", "attempt": None, "version": [1]}, {"uplinks": -1, "attempt": 0, "version": -3}],
    ids=["none", "of other types", "out of range"],
)
async def test_a_message_that_somebody_published_by_hand_is_delivered(
    queue: RabbitQueue, topology: Topology, channel: AbstractChannel, headers: dict[str, object]
) -> None:
    await queue.depths()
    await channel.default_exchange.publish(aio_pika.Message(b"a", headers=headers), topology.work)  # type: ignore[arg-type]
    async with queue.consume(prefetch=1) as deliveries:
        delivery = await take_one(deliveries)
        assert delivery.message == Message(b"a", uplinks=1, attempt=1, version=FRAME_VERSION)
        assert delivery.count == 1
        await delivery.settle(DONE)


async def test_a_message_without_an_id_has_the_same_one_at_each_delivery(
    queue: RabbitQueue, topology: Topology, channel: AbstractChannel
) -> None:
    await queue.depths()
    underlay = await channel.get_underlay_channel()
    header = aio_pika.Message(b"a").properties
    header.message_id = None
    await underlay.basic_publish(b"a", routing_key=topology.work, properties=header)
    async with queue.consume(prefetch=1) as deliveries:
        first = await take_one(deliveries)
        await first.hand_back()
        second = await take_one(deliveries)
    assert first.message_id
    assert first.message_id == second.message_id


async def test_a_message_that_reaches_the_delivery_limit_comes_as_poison(queue: RabbitQueue) -> None:
    await queue.publish(MESSAGE)
    async with queue.consume(prefetch=1) as deliveries:
        counts = []
        while not (delivery := await take_one(deliveries)).poisoned:
            counts.append(delivery.count)
            await delivery.hand_back()
        assert counts == list(range(1, DELIVERY_LIMIT + 2))
        assert delivery.message == MESSAGE
        await delivery.settle(DONE)
    depths = await queue.depths()
    assert (depths.work, depths.poison) == (0, 0)


async def test_poison_is_never_dropped(queue: RabbitQueue, topology: Topology, channel: AbstractChannel) -> None:
    await queue.depths()
    await channel.default_exchange.publish(aio_pika.Message(b"a"), topology.poison)
    async with queue.consume(prefetch=1) as deliveries:
        for count in range(1, max(UNREACHED_ON_4, DELIVERY_LIMIT) + 20):
            delivery = await take_one(deliveries)
            assert (delivery.count, delivery.poisoned) == (count, True)
            await delivery.hand_back()
    await eventually(lambda: has_poison(queue))


async def test_a_consumer_resumes_after_its_queue_was_deleted(
    queue: RabbitQueue, topology: Topology, channel: AbstractChannel
) -> None:
    """On 3.10 it would wait for ever if the publisher declared the queue anew at once."""
    async with queue.consume(prefetch=1) as deliveries:
        await queue.publish(MESSAGE)
        await settle_one(deliveries)
        await channel.queue_delete(topology.work)
        await eventually(lambda: takes(queue.publish(MESSAGE)))
        assert (await take_one(deliveries)).message == MESSAGE


async def test_a_settlement_whose_retry_queue_was_deleted_is_tried_until_it_is_declared_anew(
    queue: RabbitQueue, topology: Topology, channel: AbstractChannel
) -> None:
    delay = topology.retry_steps[-1]
    await put_off(queue, MESSAGE, delay)
    await channel.queue_delete(topology.retry(delay))
    await put_off(queue, MESSAGE, delay)
    depths = await queue.depths()
    assert (depths.work, depths.retry) == (0, 1)


async def test_a_queue_that_was_deleted_and_that_nobody_publishes_to_is_brought_back_by_a_look(
    queue: RabbitQueue, topology: Topology, channel: AbstractChannel
) -> None:
    """Else no depth would be known any more, and every look would cost a channel."""
    await queue.publish(MESSAGE)
    await queue.depths()
    await channel.queue_delete(topology.dead)
    await channel.queue_delete(topology.retry(topology.retry_steps[-1]))
    assert await queue.count_waiting() == 1
    with pytest.raises(QueueUnavailableError, match="was deleted; it is declared anew soon"):
        await queue.depths()
    await eventually(lambda: takes(queue.depths()))
    assert (await queue.depths()).work == 1


async def test_a_delivery_that_is_lost_while_its_remainder_is_tried_comes_again(
    queue: RabbitQueue, topology: Topology, channel: AbstractChannel
) -> None:
    delay = topology.retry_steps[-1]
    await queue.publish(MESSAGE)
    async with queue.consume(prefetch=1) as deliveries:
        delivery = cast("RabbitDelivery", await take_one(deliveries))
        await channel.queue_delete(topology.retry(delay))
        settling = asyncio.create_task(delivery.settle(Remainder(suspects=[MESSAGE], later=[(MESSAGE, delay)])))
        await eventually(lambda: queue._publisher._missing_since)
        assert not settling.done()
        delivery._session.drop("cut by the test")
        with pytest.raises(QueueUnavailableError, match="will come again"):
            await settling
        again, _ = sorted(await take(deliveries, 2), key=lambda delivery: delivery.suspect)
        assert (again.message_id, again.count) == (delivery.message_id, 2)


async def test_what_nobody_opened_is_counted_when_the_queue_takes_no_copy_and_is_not_lost(
    queue: RabbitQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise QueueUnavailableError("an alarm was raised")

    await queue.publish(MESSAGE)
    with monkeypatch.context() as alarm:
        alarm.setattr(Publisher, "publish", refuse)
        async with queue.consume(prefetch=1):
            await eventually(lambda: has_work(queue, 0))
    async with queue.consume(prefetch=1) as deliveries:
        assert (await take_one(deliveries)).count == 2


async def test_what_is_unsettled_shows_in_the_metrics_until_it_is_settled_or_lost(queue: RabbitQueue) -> None:
    before = count_unsettled()
    for _ in range(4):
        await queue.publish(MESSAGE)
    async with queue.consume(prefetch=4) as deliveries:
        in_hand = [cast("RabbitDelivery", await take_one(deliveries)) for _ in range(3)]
        assert await eventually(lambda: count_unsettled() - before == 4 * MESSAGE.uplinks)
        await in_hand[0].settle(DONE)
        await in_hand[1].hand_back()
        await take_one(deliveries)
        in_hand[2]._session.drop("cut by the test")
        await take(deliveries, 3)
        assert count_unsettled() - before == 3 * MESSAGE.uplinks


async def test_an_unroutable_publish_harms_none_of_those_beside_it(
    queue: RabbitQueue, topology: Topology, channel: AbstractChannel
) -> None:
    """The library matches a returned message by its id; every publish therefore has its own."""
    delay = topology.retry_steps[-1]
    await queue.publish(MESSAGE)
    await channel.queue_delete(topology.retry(delay))
    results = await asyncio.gather(
        *(queue.publish(MESSAGE) for _ in range(5)),
        queue._publisher.publish(encode_message(MESSAGE), topology.retry(delay)),
        *(queue.publish(MESSAGE) for _ in range(5)),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [type(None)] * 5 + [QueueDeletedError] + [type(None)] * 5
    assert (await queue.depths()).work == 11


async def test_a_queue_that_exists_in_another_form_is_named_with_what_to_do(
    amqp_url: str, queue: RabbitQueue, topology: Topology
) -> None:
    await queue.publish(MESSAGE)
    changed = Topology(topology.prefix, topology.retry_steps, topology.dead_letter_age * 2)
    other = RabbitQueue(amqp_url, changed, name="other")
    try:
        with pytest.raises(QueueUnavailableError) as refusal:
            await other.publish(MESSAGE)
    finally:
        await other.close()
    assert topology.dead in str(refusal.value)
    assert "x-max-age" in str(refusal.value)
    assert "delete" in str(refusal.value)


async def test_many_letters_are_listed_completely(queue: RabbitQueue) -> None:
    letters = [DeadLetter(f"frame/{n}", LETTER.reason, "", 1, NOON, NOON, frame=b"?") for n in range(2_500)]
    await bury(queue, letters)
    assert [letter async for letter in queue.dead_letters()] == letters


async def test_a_stream_that_costs_the_connection_of_who_reads_it_too_early_is_read_again(
    queue: RabbitQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is what RabbitMQ 4.0 does with the first stream of its life, for some moments."""
    await bury(queue, [LETTER])
    read = StreamReader.read
    crashes = [ConnectionInternalError("INTERNAL_ERROR")]

    async def crash_once(reader: StreamReader) -> DeadLetterList:
        if not crashes:
            return await read(reader)
        (await queue._reading.session()).drop("INTERNAL_ERROR")
        await eventually(lambda: reader._channel.is_closed)
        raise StreamNotReadyError("the dead letters cannot be read") from crashes.pop()

    monkeypatch.setattr(StreamReader, "read", crash_once)
    assert [letter async for letter in queue.dead_letters()] == [LETTER]
    assert not crashes


async def get(channel: AbstractChannel, name: str) -> AbstractIncomingMessage:
    queue = await channel.get_queue(name, ensure=False)
    return await queue.get()


async def has_poison(queue: RabbitQueue) -> bool:
    return (await queue.depths()).poison == 1


def count_unsettled() -> float:
    return REGISTRY.get_sample_value("sluice_uplinks_unsettled") or 0


async def has_work(queue: RabbitQueue, messages: int) -> bool:
    return (await queue.depths()).work == messages


async def test_a_stop_that_is_cancelled_leaves_no_copy_beside_its_original(
    amqp_url: str, topology: Topology, queue: RabbitQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the process has to stop while its breaker opens."""
    copied, going_on = asyncio.Event(), asyncio.Event()
    publish_copy = Settler.publish_copy

    async def publish_slowly(*arguments: Any, **named: Any) -> None:
        await publish_copy(*arguments, **named)
        copied.set()
        await going_on.wait()

    async def consume_nothing() -> None:
        async with queue.consume(prefetch=1):
            await eventually(lambda: has_work(queue, 0))

    monkeypatch.setattr(Settler, "publish_copy", publish_slowly)
    await queue.publish(MESSAGE)
    consuming = asyncio.create_task(consume_nothing())
    await copied.wait()
    consuming.cancel()
    await asyncio.sleep(0)
    going_on.set()
    await asyncio.wait({consuming})
    assert consuming.cancelled()
    await queue.close()
    next_process = RabbitQueue(amqp_url, topology, name=topology.prefix)
    try:
        await eventually(lambda: has_work(next_process, 1))
        async with next_process.consume(prefetch=2) as deliveries:
            await settle_one(deliveries)
            await eventually(lambda: has_work(next_process, 0))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(deliveries), 0.5)
    finally:
        await next_process.close()


async def takes(asking: Coroutine[None, None, object]) -> bool:
    try:
        await asking
    except QueueUnavailableError:
        return False
    return True
