"""More load than can be carried: it is answered, and not absorbed."""

import pytest

from tests.faults.cell import UPLINKS, Cell
from tests.faults.memory import watched_memory
from tests.support.system import AUTHORIZATION, System

pytestmark = [pytest.mark.rabbitmq, pytest.mark.docker, pytest.mark.timeout(3_600)]

SECONDS = max(20.0, 120 * UPLINKS / 20_000)
"""Two minutes at full size; never less than it takes to fill the queue."""
LATENCY_SECONDS = 0.2
POSTS_IN_FLIGHT = 64
CARRIED_PER_SECOND = POSTS_IN_FLIGHT / LATENCY_SECONDS
"""Uplinks that one worker can post to a downstream of that latency, whatever the machine."""
BATCH = 10
QUEUE_LIMIT = "50"
"""Messages: a backlog that is worked off in seconds, so that there is something to answer within two minutes."""


async def test_ten_times_more_than_can_be_carried_comes_for_two_minutes(system: System, cell: Cell) -> None:
    """Nobody sends again what was refused: what counts is that each 202 was true."""
    uplinks = int(10 * CARRIED_PER_SECOND * SECONDS)
    system.control_stub(latency_ms=1_000 * LATENCY_SECONDS)
    ingest = system.start_ingest(SLUICE_QUEUE_LIMIT=QUEUE_LIMIT)
    worker = system.start_worker(SLUICE_POSTS_IN_FLIGHT=str(POSTS_IN_FLIGHT))
    async with watched_memory(ingest, worker) as memories:
        rate = uplinks / SECONDS / BATCH
        gateway = cell.send(ingest.url, AUTHORIZATION, uplinks, rate=rate, senders=640, patience=0)
        await cell.finished(gateway)
        system.control_stub(latency_ms=0)
        cell.note = f"ingest: {memories[0]}; worker: {memories[1]}"
    await cell.balance(answers=("429",), felt="503")
    assert all(memory.is_flat for memory in memories), cell.note
