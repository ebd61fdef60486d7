"""The gate: what closes it, what opens it, and what senders are told meanwhile."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from common.metrics import REGISTRY
from common.queue.protocol import QueueUnavailableError
from common.reason import Reason
from ingest import gate as module
from ingest.gate import Gate
from tests.support.queues import FakeQueue
from tests.support.waiting import eventually


@pytest.fixture
def queue() -> FakeQueue:
    return FakeQueue()


@pytest.fixture
def gate(queue: FakeQueue) -> Gate:
    return Gate(queue)


@pytest.fixture
async def watched(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Gate]:
    monkeypatch.setattr(module, "PROBE_PAUSE_SECONDS", 0.001)
    watching = asyncio.create_task(gate.watch())
    yield gate
    watching.cancel()


def is_closed() -> bool:
    return REGISTRY.get_sample_value("sluice_gate_closed") == 1


async def test_it_is_closed_until_the_first_probe_is_confirmed(gate: Gate, queue: FakeQueue) -> None:
    assert gate.closed_because == "the queue has not confirmed anything yet"
    watching = asyncio.create_task(gate.watch())
    await gate.first_confirm.wait()
    watching.cancel()
    assert gate.closed_because is None
    assert [message.uplinks for message in queue.published] == [0]


async def test_a_closed_gate_tells_the_newest_reason_and_opens_when_a_probe_is_confirmed(
    watched: Gate, queue: FakeQueue
) -> None:
    await watched.first_confirm.wait()
    queue.refuse(QueueUnavailableError("connecting"), *[RuntimeError("bug")] * 3)
    watched.close("no confirm")
    assert is_closed()
    assert watched.build_refusal().reason is Reason.QUEUE_UNAVAILABLE
    assert "no confirm" in str(watched.build_refusal())
    await eventually(lambda: watched.closed_because == "connecting", poll=0)
    await eventually(lambda: watched.closed_because is None)
    assert not is_closed()
    assert watched.first_confirm.is_set()


async def test_the_longer_the_queue_is_away_the_longer_is_the_wait_that_senders_are_told(gate: Gate) -> None:
    waits = []
    for _ in range(3):
        gate.close("still away")
        waits.append(int(gate.build_refusal().headers["Retry-After"]))
        gate._closed_since -= 10
    assert waits == [2, 11, 21]
