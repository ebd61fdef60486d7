"""Retrying: a message that waits out one step of the ladder."""

from datetime import timedelta

import pytest

from common.queue.protocol import Queue
from tests.contract.engines import LONG, SHORT, Engine
from tests.contract.samples import message
from tests.support.remains import DONE, put_off
from tests.support.waiting import eventually, take_one


async def test_a_message_for_later_waits_and_then_comes(queue: Queue) -> None:
    await put_off(queue, message("later", attempt=2), SHORT)
    await queue.publish(message("now"))
    async with queue.consume(prefetch=1) as deliveries:
        first = await take_one(deliveries)
        assert first.message == message("now")  # it was published after the other
        await first.settle(DONE)
        second = await take_one(deliveries)
        assert second.message == message("later", attempt=2)
        await second.settle(DONE)


async def test_a_retried_message_starts_counting_deliveries_anew(queue: Queue) -> None:
    await put_off(queue, message("a"), SHORT)
    async with queue.consume(prefetch=1) as deliveries:
        assert (await take_one(deliveries)).count == 1


async def test_a_message_for_later_is_durable_and_counted_as_such(engine: Engine) -> None:
    async with engine.open() as queue:
        await put_off(queue, message("a"), LONG)
    async with engine.open() as queue:
        depths = await queue.depths()
        assert (depths.work, depths.retry) == (0, 1)


async def test_a_shorter_wait_does_not_stand_behind_a_longer_one(queue: Queue) -> None:
    await put_off(queue, message("long"), LONG)
    await put_off(queue, message("short"), SHORT)
    async with queue.consume(prefetch=1) as deliveries:
        assert (await take_one(deliveries)).message == message("short")
    await eventually(lambda: _is_waiting_for_retry(queue))


async def test_a_delay_that_is_no_step_is_refused(queue: Queue) -> None:
    with pytest.raises(ValueError, match="step"):
        await put_off(queue, message("a"), timedelta(seconds=7))


async def _is_waiting_for_retry(queue: Queue) -> bool:
    return (await queue.depths()).retry == 1
