"""What a process sees of the queue, as its metrics tell it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

import pytest

from common import queue_watch
from common.metrics import REGISTRY
from common.queue.protocol import Books
from common.queue_watch import measure_age, watch_queue
from tests.support.queues import FakeQueue
from tests.support.waiting import eventually


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_watch, "WATCH_SECONDS", 0.01)


@asynccontextmanager
async def watched(queue: FakeQueue) -> AsyncIterator[None]:
    watching = asyncio.create_task(watch_queue(queue))
    yield
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching


def age() -> float:
    return REGISTRY.get_sample_value("sluice_oldest_uplink_age_seconds", {"where": "queue"}) or 0.0


async def test_the_age_grows_also_while_the_queue_is_away_and_ends_when_nothing_waits() -> None:
    queue = FakeQueue()
    queue.since = datetime.now(UTC) - timedelta(hours=1)
    async with watched(queue):
        await eventually(lambda: age() >= 3_600)
        queue.unavailable = "away"
        seen = age()
        await eventually(lambda: age() > seen)
        queue.since, queue.unavailable = None, None
        await eventually(lambda: age() == 0)


async def test_what_waits_is_counted_by_what_it_waits_for() -> None:
    queue = FakeQueue()
    queue.depth = 7
    async with watched(queue):
        await eventually(lambda: REGISTRY.get_sample_value("sluice_queue_messages", {"waiting": "work"}) == 7)
    assert REGISTRY.get_sample_value("sluice_queue_messages", {"waiting": "dead"}) == 0


async def test_the_books_of_a_file_are_told_as_a_surplus() -> None:
    queue = FakeQueue()
    queue.kept_books = Books(accepted=10, replayed=0, delivered=4, set_aside=1, died=2, in_queue=1)
    async with watched(queue):
        await eventually(lambda: REGISTRY.get_sample_value("sluice_books_surplus_uplinks", {"queue": "file"}) == -2)


def test_a_clock_that_is_ahead_makes_no_negative_age() -> None:
    assert measure_age(datetime.now(UTC) + timedelta(hours=1)) == 0
    assert measure_age(None) == 0
