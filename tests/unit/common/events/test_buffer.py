"""Where events wait: bounded, with what did not fit counted."""

import asyncio

from common.events.buffer import Buffer
from common.metrics import REGISTRY


def fill(buffer: Buffer[int], count: int, *, size: int = 1) -> None:
    for number in range(count):
        buffer.offer(number, size)


async def test_what_waits_comes_out_in_its_order() -> None:
    buffer: Buffer[int] = Buffer()
    fill(buffer, 5)
    assert [buffer.take(2), buffer.take(9), buffer.take(9)] == [[0, 1], [2, 3, 4], []]
    assert buffer.take_dropped() == 0


async def test_what_comes_when_it_is_full_is_dropped_and_counted() -> None:
    buffer: Buffer[int] = Buffer(events=3)
    before = REGISTRY.get_sample_value("sluice_events_dropped_total") or 0
    fill(buffer, 10)
    assert REGISTRY.get_sample_value("sluice_events_dropped_total") == before + 7
    assert buffer.take(9) == [0, 1, 2]
    assert buffer.take_dropped() == 7
    assert buffer.take_dropped() == 0


async def test_a_buffer_is_full_of_bytes_as_well() -> None:
    buffer: Buffer[int] = Buffer(size=100)
    fill(buffer, 3, size=40)
    assert buffer.take(9) == [0, 1]
    assert buffer.take_dropped() == 1
    buffer.offer(7, 100)
    assert buffer.take(9) == [7]


async def test_the_drops_are_told_behind_what_was_there_before_them() -> None:
    buffer: Buffer[int] = Buffer(events=3)
    fill(buffer, 4)
    assert buffer.take(1) == [0]
    assert buffer.take_dropped() == 0
    assert buffer.take(9) == [1, 2]
    assert buffer.take_dropped() == 1


async def test_waiting_ends_as_soon_as_there_is_something() -> None:
    buffer: Buffer[int] = Buffer()
    waiting = asyncio.create_task(buffer.wait())
    await asyncio.sleep(0)
    assert not waiting.done()
    buffer.offer(1, 1)
    await waiting
    buffer.take(9)
    await buffer.wait(0)  # nothing waits; returns all the same
    assert buffer.take(9) == []
