"""Settling: what remains of a delivery is durable, and the delivery gone, or it comes again."""

import asyncio
from datetime import timedelta

import pytest

from common.queue.protocol import Books, Message, MessageTooLargeError, Queue, QueueUnavailableError, Remainder
from tests.contract.engines import LONG, SHORT, Engine
from tests.contract.samples import GROUP, letter, message
from tests.support.remains import DONE, settle_one, suspect
from tests.support.waiting import eventually, take, take_one

TOO_LARGE = Message(b"x" * (16 * 1024 * 1024), uplinks=1)


async def test_what_remains_is_there_for_everybody_when_the_settlement_returns(engine: Engine) -> None:
    remainder = Remainder(
        letters=[letter(f"{GROUP}/0"), letter(f"{GROUP}/1")],
        suspects=[message("suspect")],
        later=[(message("later"), LONG), (message("latest"), LONG)],
        delivered=3,
        set_aside=1,
    )
    async with engine.open() as queue:
        await queue.publish(Message(b"a", uplinks=9))
        async with queue.consume(prefetch=1) as deliveries:
            await settle_one(deliveries, remainder)
    async with engine.open() as queue:
        depths = await queue.depths()
        assert (depths.work, depths.retry, depths.suspects, depths.poison) == (0, 2, 1, 0)
        assert [found.uplink_id async for found in queue.dead_letters()] == [f"{GROUP}/0", f"{GROUP}/1"]


async def test_what_is_put_back_comes_again_as_if_it_had_not_been_delivered(queue: Queue) -> None:
    await queue.publish(Message(b"a", uplinks=2, attempt=3))
    async with queue.consume(prefetch=1) as deliveries:
        await settle_one(deliveries, Remainder(put_back=[message("rest", attempt=3)], delivered=1))
        again = await take_one(deliveries)
        await again.settle(DONE)
    assert (again.message, again.count, again.suspect) == (message("rest", attempt=3), 1, False)


async def test_a_settlement_that_can_never_be_stored_changes_nothing(queue: Queue) -> None:
    await queue.publish(message("a"))
    async with queue.consume(prefetch=1) as deliveries:
        delivery = await take_one(deliveries)
        with pytest.raises(MessageTooLargeError):
            await delivery.settle(Remainder(suspects=[message("b")], later=[(TOO_LARGE, SHORT)]))
        with pytest.raises(ValueError, match="step"):
            await delivery.settle(Remainder([letter(f"{GROUP}/0")], later=[(message("b"), timedelta(seconds=7))]))
        depths = await queue.depths()
        assert (depths.retry, depths.suspects) == (0, 0)
        assert [found async for found in queue.dead_letters()] == []
        await delivery.settle(DONE)


async def test_a_delivery_that_is_lost_leaves_nothing_and_comes_again_as_a_whole(engine: Engine) -> None:
    async with engine.open() as queue:
        await queue.publish(message("a"))
        async with queue.consume(prefetch=1) as deliveries:
            delivery = await take_one(deliveries)
            await queue.close()
            assert delivery.is_lost
            with pytest.raises(QueueUnavailableError):
                await delivery.settle(Remainder(suspects=[message("b")]))
    async with engine.open() as queue, queue.consume(prefetch=2) as deliveries:
        again = await take_one(deliveries)
        assert (again.message, again.count) == (message("a"), 2)
        assert (await queue.depths()).suspects == 0


async def test_many_deliveries_may_be_settled_at_the_same_time(queue: Queue) -> None:
    for number in range(50):
        await queue.publish(message(f"{number}"))
    async with queue.consume(prefetch=50) as deliveries:
        in_hand = await take(deliveries, 50)
        remainder = Remainder([letter(f"{GROUP}/0")], suspects=[message("b")])
        await asyncio.gather(*(delivery.settle(remainder) for delivery in in_hand))
        await (await take_one(deliveries)).hand_back()
    await eventually(lambda: _has_depths(queue, 0, 50))


async def test_what_nobody_opened_goes_back_uncounted_however_often(engine: Engine) -> None:
    """A worker leaves its deliveries each time it pauses: an outage must not make poison of what waits."""
    async with engine.open() as queue:
        for text in "ab":
            await queue.publish(message(text))
        async with queue.consume(prefetch=1) as deliveries:
            await (await take_one(deliveries)).hand_back()
        for _ in range(5):
            async with queue.consume(prefetch=2):
                await eventually(lambda: _has_depths(queue, 0, 0))
            await eventually(lambda: _has_depths(queue, 2, 0))
    async with engine.open() as queue, queue.consume(prefetch=2) as deliveries:
        counts = {delivery.message.body: delivery.count for delivery in await take(deliveries, 2)}
    assert sorted(counts.values()) == [1, 2]


async def test_a_suspect_that_nobody_opened_stays_one_and_keeps_its_id(queue: Queue) -> None:
    await suspect(queue, message("first"))
    for _ in range(3):
        async with queue.consume(prefetch=1):
            await eventually(lambda: _has_depths(queue, 0, 0))
        await eventually(lambda: _has_depths(queue, 0, 1))
    async with queue.consume(prefetch=1) as deliveries:
        delivery = await take_one(deliveries)
        await delivery.hand_back()
        again = await take_one(deliveries)
    assert (delivery.suspect, delivery.count, again.count) == (True, 1, 2)
    assert delivery.message_id == again.message_id


async def test_the_books_count_each_uplink_once_where_an_engine_keeps_them(engine: Engine) -> None:
    async with engine.open() as queue:
        await queue.publish(Message(b"a", uplinks=9))
        async with queue.consume(prefetch=1) as deliveries:
            await settle_one(
                deliveries,
                Remainder([letter(f"{GROUP}/0")], [message("b")], [(message("c"), LONG)], [Message(b"d", 3)], 2, 1),
            )
    async with engine.open() as queue:
        books = await queue.books()
        assert books is None or books == Books(accepted=9, replayed=0, delivered=2, set_aside=1, died=1, in_queue=5)


async def _has_depths(queue: Queue, work: int, suspects: int) -> bool:
    depths = await queue.depths()
    return (depths.work, depths.suspects) == (work, suspects)
