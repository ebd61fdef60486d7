"""Consuming: every message until somebody acknowledges it."""

import asyncio

import pytest

from common.queue.protocol import Queue, QueueUnavailableError
from tests.contract.engines import Engine
from tests.contract.samples import message
from tests.support.remains import DONE, settle_one, suspect
from tests.support.waiting import eventually, take, take_one


async def test_the_first_delivery_of_a_message_counts_one(queue: Queue) -> None:
    await queue.publish(message("a"))
    async with queue.consume(prefetch=1) as deliveries:
        delivery = await take_one(deliveries)
    assert delivery.count == 1
    assert not delivery.poisoned


async def test_a_message_that_was_not_settled_comes_again_with_a_higher_count(engine: Engine) -> None:
    async with engine.open() as queue:
        await queue.publish(message("a"))
        async with queue.consume(prefetch=1) as deliveries:
            first = await take_one(deliveries)
    async with engine.open() as queue, queue.consume(prefetch=1) as deliveries:
        second = await take_one(deliveries)
    assert second.message == first.message
    assert second.message_id == first.message_id
    assert second.count == first.count + 1


async def test_a_message_that_was_handed_back_comes_again_with_a_higher_count(queue: Queue) -> None:
    await queue.publish(message("a"))
    async with queue.consume(prefetch=1) as deliveries:
        first = await take_one(deliveries)
        await first.hand_back()
        second = await take_one(deliveries)
    assert second.message_id == first.message_id
    assert second.count == first.count + 1


async def test_an_acknowledged_message_is_gone(engine: Engine) -> None:
    async with engine.open() as queue:
        await queue.publish(message("a"))
        await queue.publish(message("b"))
        async with queue.consume(prefetch=1) as deliveries:
            await settle_one(deliveries)
            kept = await take_one(deliveries)
    async with engine.open() as queue:
        assert (await queue.depths()).work == 1
        async with queue.consume(prefetch=2) as deliveries:
            assert (await take_one(deliveries)).message_id == kept.message_id


async def test_no_more_than_the_prefetch_is_handed_out_before_something_is_settled(queue: Queue) -> None:
    for number in range(10):
        await queue.publish(message(str(number)))
    async with queue.consume(prefetch=3) as deliveries:
        in_hand = await take(deliveries, 3)
        await eventually(lambda: _waiting_is(queue, 7))
        await in_hand.pop().settle(DONE)
        in_hand.append(await take_one(deliveries))
        await eventually(lambda: _waiting_is(queue, 6))


async def test_leaving_the_context_puts_back_what_nobody_took(queue: Queue) -> None:
    for number in range(5):
        await queue.publish(message(str(number)))
    async with queue.consume(prefetch=5) as deliveries:
        taken = await take_one(deliveries)
        await eventually(lambda: _waiting_is(queue, 0))
    await eventually(lambda: _waiting_is(queue, 4))
    await taken.settle(DONE)
    async with queue.consume(prefetch=5) as deliveries:
        others = await take(deliveries, 4)
    assert taken.message_id not in {other.message_id for other in others}


async def test_a_delivery_can_be_settled_after_its_context_was_left(engine: Engine) -> None:
    async with engine.open() as queue:
        for text in ("acknowledged", "handed back"):
            await queue.publish(message(text))
        async with queue.consume(prefetch=2) as deliveries:
            first, second = await take(deliveries, 2)
        await first.settle(DONE)
        await second.hand_back()
        await eventually(lambda: _waiting_is(queue, 1))
    async with engine.open() as queue, queue.consume(prefetch=1) as deliveries:
        assert (await take_one(deliveries)).message_id == second.message_id


async def test_the_iterator_ends_when_its_context_is_left(queue: Queue) -> None:
    async with queue.consume(prefetch=1) as deliveries:
        waiting = asyncio.create_task(anext(deliveries, None))
    assert await asyncio.wait_for(waiting, 5) is None
    assert await anext(deliveries, None) is None


async def test_a_cancelled_wait_for_a_delivery_loses_none(queue: Queue) -> None:
    async with queue.consume(prefetch=1) as deliveries:
        waiting = asyncio.create_task(take_one(deliveries))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait({waiting})
        await queue.publish(message("a"))
        assert (await take_one(deliveries)).message == message("a")


async def test_consuming_again_on_the_same_queue_works(queue: Queue) -> None:
    for number in range(3):
        await queue.publish(message(str(number)))
        async with queue.consume(prefetch=1) as deliveries:
            await settle_one(deliveries)
    assert (await queue.depths()).work == 0


async def test_closing_puts_everything_back_and_may_be_done_twice(engine: Engine) -> None:
    async with engine.open() as queue:
        await queue.publish(message("a"))
        async with queue.consume(prefetch=1) as deliveries:
            await take_one(deliveries)
            await queue.close()
            assert await anext(deliveries, None) is None
        await queue.close()
    async with engine.open() as queue:
        assert await eventually(lambda: _waiting_is(queue, 1))


async def test_a_closed_queue_takes_nothing(queue: Queue) -> None:
    await queue.close()
    with pytest.raises(QueueUnavailableError, match="closed"):
        await queue.publish(message("a"))
    assert queue.unavailable


async def _waiting_is(queue: Queue, messages: int) -> bool:
    return (await queue.depths()).work == messages


async def test_suspects_come_one_at_a_time_beside_the_others(queue: Queue) -> None:
    await suspect(queue, message("first"), message("second"))
    await queue.publish(message("other"))
    async with queue.consume(prefetch=10) as deliveries:
        first, other = sorted(await take(deliveries, 2), key=lambda delivery: not delivery.suspect)
        assert (first.suspect, other.suspect, other.message) == (True, False, message("other"))
        assert (await queue.depths()).suspects == 1
        for delivery in (first, other):
            await delivery.settle(DONE)
        second = await take_one(deliveries)
    assert {first.message.body, second.message.body} == {b"first", b"second"}


async def test_the_count_of_a_suspect_is_its_own(engine: Engine) -> None:
    async with engine.open() as queue:
        await suspect(queue, message("first"), message("second"))
        async with queue.consume(prefetch=10) as deliveries:
            await take_one(deliveries)
    async with engine.open() as queue, queue.consume(prefetch=10) as deliveries:
        first = await take_one(deliveries)
        await first.settle(DONE)
        second = await take_one(deliveries)
    assert (first.count, second.count) == (2, 1)
