"""Since when the oldest uplink waits: a moment that stays, so that its age grows, until somebody takes the uplink."""

from datetime import UTC, datetime, timedelta

from common.envelope import Envelope, encode_frame
from common.queue.protocol import Message, Queue, Remainder
from tests.contract.engines import LONG, Engine
from tests.contract.samples import GROUP, frame_of
from tests.support.remains import DONE, settle_one
from tests.support.waiting import eventually, take_one


async def test_in_an_empty_queue_nothing_waits(queue: Queue) -> None:
    assert await queue.waiting_since() is None


async def test_what_nobody_takes_waits_since_one_moment_that_does_not_move(queue: Queue) -> None:
    await queue.publish(frame_of(items=1))
    since = await see_waiting(queue)
    await queue.publish(Message(encode_frame([arrived_now()]), uplinks=1))
    assert since <= datetime.now(UTC)
    assert await queue.waiting_since() == since


async def test_what_was_settled_waits_no_more(queue: Queue) -> None:
    await queue.publish(frame_of(items=1))
    await eventually(queue.waiting_since)
    async with queue.consume(prefetch=1) as deliveries:
        await settle_one(deliveries, DONE)

    async def nothing_waits() -> bool:
        return await queue.waiting_since() is None

    await eventually(nothing_waits)


async def test_what_waits_out_a_retry_step_does_not_count(queue: Queue) -> None:
    await queue.publish(frame_of(items=1))
    async with queue.consume(prefetch=1) as deliveries:
        await settle_one(deliveries, Remainder(later=[(frame_of(items=1), LONG)]))
    assert await queue.waiting_since() is None


async def test_what_was_tried_before_counts_from_when_it_was_seen_to_wait(queue: Queue) -> None:
    """A dead letter that is replayed has been away for days, and waits since a moment ago."""
    asked = datetime.now(UTC)
    await queue.publish(Message(encode_frame([arrived_now(attempt=9, age=timedelta(days=3))]), uplinks=1, attempt=9))
    since = await see_waiting(queue)
    assert asked <= since
    assert await queue.waiting_since() == since


async def test_what_a_killed_consumer_left_waits_again(engine: Engine) -> None:
    async with engine.open() as queue:
        await queue.publish(frame_of(items=1))
        async with queue.consume(prefetch=1) as deliveries:
            await take_one(deliveries)
    async with engine.open() as queue:
        await eventually(queue.waiting_since)


async def see_waiting(queue: Queue) -> datetime:
    """Give since when something waits; RabbitMQ counts a message a moment after its confirm."""
    since = await eventually(queue.waiting_since)
    assert since is not None
    return since


def arrived_now(*, attempt: int = 1, age: timedelta = timedelta(0)) -> Envelope:
    return Envelope(GROUP, "factory", datetime.now(UTC) - age, {}, [(0, {"serial": "A"})], attempt=attempt)
