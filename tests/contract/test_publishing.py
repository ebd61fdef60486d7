"""Publishing: what is confirmed is there, and what comes out is what went in."""

import pytest

from common.envelope import decode_frame
from common.queue.protocol import Message, MessageTooLargeError, Queue, Remainder, UnroutableError
from tests.contract.engines import LONG, Engine
from tests.contract.samples import GROUP, PROBE, frame_of, letter, message
from tests.support.remains import DONE, settle_one
from tests.support.waiting import eventually, take, take_one


async def test_a_published_message_is_there_for_another_connection_at_once(engine: Engine, queue: Queue) -> None:
    await queue.publish(message("a"))
    async with engine.open() as other:
        assert (await other.depths()).work == 1


async def test_a_published_message_outlives_the_connection_that_published_it(engine: Engine) -> None:
    async with engine.open() as publisher:
        await publisher.publish(message("a"))
    async with engine.open() as consumer, consumer.consume(prefetch=1) as deliveries:
        delivery = await take_one(deliveries)
        assert delivery.message == message("a")


async def test_a_frame_comes_out_byte_for_byte_with_its_envelopes_and_items_in_order(queue: Queue) -> None:
    frame = frame_of(items=20)
    await queue.publish(frame)
    async with queue.consume(prefetch=1) as deliveries:
        delivery = await take_one(deliveries)
    assert delivery.message == frame
    assert decode_frame(delivery.message.body) == decode_frame(frame.body)


@pytest.mark.parametrize("body", [b"", bytes(range(256)), b"x" * 1_000_000], ids=["empty", "every byte", "1 MB"])
async def test_any_bytes_come_out_as_they_went_in(queue: Queue, body: bytes) -> None:
    await queue.publish(Message(body, uplinks=1))
    async with queue.consume(prefetch=1) as deliveries:
        assert (await take_one(deliveries)).message.body == body


async def test_what_is_readable_without_decoding_comes_along(queue: Queue) -> None:
    published = Message(b"?", uplinks=7, attempt=3, version=9)
    await queue.publish(published)
    async with queue.consume(prefetch=1) as deliveries:
        assert (await take_one(deliveries)).message == published


async def test_a_probe_is_a_message_like_any_other(queue: Queue) -> None:
    await queue.publish(PROBE)
    async with queue.consume(prefetch=1) as deliveries:
        delivery = await take_one(deliveries)
        assert delivery.message == PROBE
        await delivery.settle(DONE)


async def test_each_publish_has_an_id_of_its_own(queue: Queue) -> None:
    await queue.publish(message("a"))
    await queue.publish(message("a"))
    async with queue.consume(prefetch=2) as deliveries:
        first, second = await take(deliveries, 2)
    assert first.message_id != second.message_id


async def test_publishing_to_a_queue_that_was_deleted_raises_until_it_is_there_again(
    engine: Engine, queue: Queue
) -> None:
    await queue.publish(message("a"))
    await engine.lose_work_queue()
    with pytest.raises(UnroutableError):
        await queue.publish(message("b"))
    await eventually(lambda: _takes(queue, message("c")))
    assert (await queue.depths()).work == 1


async def test_a_message_that_can_never_be_taken_is_refused_and_disturbs_no_other(queue: Queue) -> None:
    with pytest.raises(MessageTooLargeError):
        await queue.publish(Message(b"x" * (16 * 1024 * 1024), uplinks=1))
    await queue.publish(message("a"))
    assert (await queue.depths()).work == 1


async def test_a_queue_that_answers_is_not_unavailable(queue: Queue) -> None:
    await queue.publish(message("a"))
    assert queue.unavailable is None


async def test_depths_count_what_waits_by_what_it_waits_for(queue: Queue) -> None:
    await queue.publish(message("a"))
    await queue.publish(message("b"))
    depths = await queue.depths()
    assert (depths.work, depths.retry, depths.poison, depths.dead) == (2, 0, 0, 0)


async def test_a_message_in_hand_does_not_wait(queue: Queue) -> None:
    await queue.publish(message("a"))
    async with queue.consume(prefetch=1) as deliveries:
        delivery = await take_one(deliveries)
        await eventually(lambda: _has_depth(queue, 0))
        await delivery.hand_back()


async def test_what_waits_in_the_work_queue_can_be_counted_alone(queue: Queue) -> None:
    for text in "abc":
        await queue.publish(message(text))
    assert await queue.count_waiting() == 3
    async with queue.consume(prefetch=1) as deliveries:
        await settle_one(deliveries, Remainder([letter(f"{GROUP}/0")], [message("b")], [(message("c"), LONG)]))
    await eventually(lambda: _counts_waiting(queue, 2))


async def _takes(queue: Queue, published: Message) -> bool:
    try:
        await queue.publish(published)
    except UnroutableError:
        return False
    return True


async def _counts_waiting(queue: Queue, messages: int) -> bool:
    return await queue.count_waiting() == messages


async def _has_depth(queue: Queue, work: int) -> bool:
    return (await queue.depths()).work == work
