"""The ingest as a role, without its HTTP server."""

import asyncio

import pytest

from common.settings import Settings
from ingest.service import Ingest
from tests.support.directories import StaticDirectory, build_directory
from tests.support.queues import FakeQueue
from tests.support.waiting import eventually


@pytest.fixture
def queue() -> FakeQueue:
    return FakeQueue()


@pytest.fixture
def ingest(queue: FakeQueue) -> Ingest:
    return Ingest(Settings(), queue, StaticDirectory(build_directory()))


async def test_it_is_ready_from_the_first_confirm_on_and_ends_when_it_is_to_stop(
    ingest: Ingest, queue: FakeQueue
) -> None:
    queue.hold()
    stopping = asyncio.Event()
    running = asyncio.create_task(ingest.run(stopping))
    await asyncio.sleep(0.001)
    assert not ingest.health.started
    queue.release()
    await eventually(lambda: ingest.health.started)
    assert not running.done()
    stopping.set()
    await running
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("is_ready", [False, True])
async def test_nothing_of_it_goes_on_when_it_was_cancelled(ingest: Ingest, queue: FakeQueue, *, is_ready: bool) -> None:
    """Which it is when its HTTP server fails."""
    if not is_ready:
        queue.hold()
    running = asyncio.create_task(ingest.run(asyncio.Event()))
    await eventually(lambda: ingest.health.started is is_ready)
    await asyncio.sleep(0.001)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert asyncio.all_tasks() == {asyncio.current_task()}
