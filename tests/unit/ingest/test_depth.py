"""The watch over the work queue's depth."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from common.queue.protocol import Depths, QueueUnavailableError
from common.reason import Reason
from ingest import depth as module
from ingest.depth import DepthWatch
from ingest.gate import Gate
from tests.support.queues import FakeQueue
from tests.support.waiting import eventually


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DEPTH_INTERVAL_SECONDS", 0.001)


@pytest.fixture
def queue() -> FakeQueue:
    return FakeQueue()


@pytest.fixture
def gate(queue: FakeQueue) -> Gate:
    gate = Gate(queue)
    gate._open()
    return gate


@pytest.fixture
async def depth(queue: FakeQueue, gate: Gate) -> AsyncIterator[DepthWatch]:
    depth = DepthWatch(queue, gate, limit=10)
    watching = asyncio.create_task(depth.watch())
    yield depth
    watching.cancel()


async def test_the_queue_is_full_while_it_holds_more_than_the_limit_and_the_log_says_when(
    depth: DepthWatch, queue: FakeQueue
) -> None:
    with capture_logs() as logged:
        queue.depth = 11
        await eventually(lambda: depth.is_full)
        queue.depth = 10
        await eventually(lambda: not depth.is_full)
    assert [(entry["event"], entry["messages"]) for entry in logged] == [("queue.filled", 11), ("queue.drained", 10)]
    assert depth.build_refusal().reason is Reason.QUEUE_FULL


async def test_a_queue_that_cannot_be_asked_is_not_taken_for_full(
    depth: DepthWatch, queue: FakeQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away() -> int:
        raise QueueUnavailableError("away")

    queue.depth = 11
    await eventually(lambda: depth.is_full)
    monkeypatch.setattr(queue, "count_waiting", away)
    await eventually(lambda: not depth.is_full)


@pytest.mark.usefixtures("depth")
async def test_only_the_work_queue_is_asked_about_and_only_while_the_gate_is_open(
    queue: FakeQueue, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All depths are nine questions to a broker, each second and for each ingest."""

    async def ask_for_all() -> Depths:
        raise AssertionError

    asked: list[str | None] = []

    async def note() -> int:
        asked.append(gate.closed_because)
        return 0

    monkeypatch.setattr(queue, "depths", ask_for_all)
    monkeypatch.setattr(queue, "count_waiting", note)
    await eventually(lambda: len(asked) > 2)
    gate.close("away")
    await asyncio.sleep(0.01)
    assert set(asked) == {None}


async def test_without_a_limit_nobody_asks(queue: FakeQueue, gate: Gate) -> None:
    await asyncio.wait_for(DepthWatch(queue, gate, limit=0).watch(), 1)
