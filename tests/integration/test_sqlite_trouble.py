"""The SQLite engine in trouble: the file is locked, deleted, damaged or another's, and everything works again after."""

import asyncio
import sqlite3
from collections.abc import Awaitable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import pytest
import structlog

from common.dead_letter import DeadLetter
from common.queue.protocol import Books, QueueUnavailableError, Remainder
from common.queue.sqlite.limits import Limits
from common.queue.sqlite.store import Store
from common.reason import Reason
from tests.support.remains import settle_one
from tests.support.sqlite_queue import delete, locked, message, opened, publish_all, repeat_until_done, write
from tests.support.waiting import eventually, take, take_one

T = TypeVar("T")

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
LETTER = DeadLetter("frame/0", Reason.INTERNAL_ERROR, "", 1, NOON, NOON, frame=b"?")

QUICK = Limits(answer_seconds=0.3, pause_seconds=0.05, goodbye_seconds=0.3)
"""The engine's own times, shortened so that a test need not wait for them."""

BLIND = Limits(look_seconds=3600)
"""Under these a consumer finds only what it is told of."""

DEADLINE_SECONDS = 10.0
"""For what has to end by itself; far above QUICK."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "queue.db"


async def test_a_settlement_that_fails_is_tried_until_it_is_done(path: Path) -> None:
    async with opened(path, QUICK) as queue:
        await publish_all(queue, "a", "b")
        async with queue.consume(prefetch=1) as deliveries:
            delivery = await take_one(deliveries)
            with locked(path):
                settling = asyncio.create_task(delivery.settle(Remainder(letters=[LETTER])))
                await eventually(lambda: queue.unavailable)
            await ends(settling)
            assert (await take_one(deliveries)).message == message("b")
    assert await count_stored(path) == (1, 1)


async def test_a_settlement_that_was_cancelled_is_done_all_the_same(path: Path) -> None:
    async with opened(path, QUICK) as queue:
        await publish_all(queue, "a", "b")
        async with queue.consume(prefetch=1) as deliveries:
            delivery = await take_one(deliveries)
            with locked(path):
                settling = asyncio.create_task(delivery.settle(Remainder(letters=[LETTER])))
                await eventually(lambda: queue.unavailable)
                settling.cancel()
                await asyncio.wait({settling})
            assert (await take_one(deliveries)).message == message("b")
    assert await count_stored(path) == (1, 1)


async def test_a_settlement_that_is_still_tried_is_done_on_closing(path: Path) -> None:
    async with opened(path, QUICK) as queue:
        await queue.publish(message("a"))
        async with queue.consume(prefetch=1) as deliveries:
            delivery = await take_one(deliveries)
        with locked(path):
            settling = asyncio.create_task(delivery.settle(Remainder(letters=[LETTER])))
            await eventually(lambda: queue.unavailable)
    assert await count_stored(path) == (0, 1)
    await asyncio.gather(settling, return_exceptions=True)


async def test_publishes_fail_in_time_while_the_file_is_locked_and_the_reason_shows(path: Path) -> None:
    async with opened(path, QUICK) as queue:
        await queue.publish(message("a"))
        with locked(path):
            with pytest.raises(QueueUnavailableError):
                await ends(queue.publish(message("b")))
            assert queue.unavailable
        await repeat_until_done(lambda: queue.publish(message("c")))
        assert queue.unavailable is None


async def test_leaving_the_context_and_closing_end_while_the_file_is_locked(path: Path) -> None:
    async with opened(path, QUICK) as queue:
        await publish_all(queue, "a", "b")
        with locked(path):
            async with asyncio.timeout(DEADLINE_SECONDS), queue.consume(prefetch=2):
                pass
            await ends(queue.close())


async def test_a_consumer_resumes_when_the_file_can_be_used_again_and_says_once_why_not(path: Path) -> None:
    async with opened(path, QUICK) as queue, queue.consume(prefetch=1) as deliveries:
        await queue.depths()
        with structlog.testing.capture_logs() as logs, locked(path):
            await eventually(lambda: "deliveries.stalled" in [entry["event"] for entry in logs])
        await repeat_until_done(lambda: queue.publish(message("a")))
        assert (await take_one(deliveries)).message == message("a")


async def test_a_consumer_resumes_on_the_new_file_when_the_old_was_deleted(path: Path) -> None:
    async with opened(path, QUICK) as queue, queue.consume(prefetch=1) as deliveries:
        await queue.publish(message("a"))
        old = await take_one(deliveries)
        delete(path)
        await repeat_until_done(lambda: queue.publish(message("b")))
        await old.settle(Remainder(letters=[LETTER]))  # what it was about is gone with its file
        assert (await settle_one(deliveries)).message == message("b")
        assert await queue.books() == Books(accepted=1, replayed=0, delivered=1, set_aside=0, died=0, in_queue=0)


async def test_a_consumer_resumes_when_its_table_was_dropped(path: Path) -> None:
    async with opened(path, QUICK) as queue, queue.consume(prefetch=1) as deliveries:
        await queue.publish(message("a"))
        await settle_one(deliveries)
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("DROP TABLE delivery")
        await repeat_until_done(lambda: queue.publish(message("b")))
        assert (await take_one(deliveries)).message == message("b")


async def test_a_consumer_whose_lock_is_anothers_by_now_takes_nothing(path: Path) -> None:
    async with opened(path, BLIND) as first, opened(path) as second:
        async with first.consume(prefetch=1) as of_first:
            await first.depths()  # it has looked, and does so again when it is told of a message
            delete(path.with_name("queue.db-consumer"))
            with structlog.testing.capture_logs() as logs:
                async with second.consume(prefetch=2) as of_second:
                    await publish_all(first, "a", "b")
                    await eventually(lambda: "deliveries.stalled" in [entry["event"] for entry in logs])
                    assert len(await take(of_second, 2)) == 2
            waiting = asyncio.create_task(anext(of_first, None))
        assert await waiting is None


async def test_a_bug_in_a_look_ends_the_iterator_and_is_raised_on_leaving(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Store, "take", fail)
    async with opened(path) as queue:
        with pytest.raises(ZeroDivisionError):
            async with queue.consume(prefetch=1) as deliveries:
                assert await ends(anext(deliveries, None)) is None


async def test_a_file_that_is_no_queue_fails_every_call_with_its_name_and_is_no_obstacle_to_closing(path: Path) -> None:
    write(path, 1_000)
    async with opened(path) as queue:
        for call in (queue.publish(message("a")), queue.books(), queue.depths()):
            with pytest.raises(QueueUnavailableError, match=str(path)):
                await call
        assert str(path) in (queue.unavailable or "")


async def count_stored(path: Path) -> tuple[int, int]:
    """Count the messages and letters in the file of a queue that nobody consumes: what was in hand waits again."""
    async with opened(path) as queue:
        depths = await queue.depths()
        return depths.work, depths.dead


async def ends(call: Awaitable[T]) -> T:
    return await asyncio.wait_for(call, DEADLINE_SECONDS)
