"""The thread that writes: what shares a commit, what fails alone, and what happens when the disk does not answer."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import pytest
import structlog

from common.queue.protocol import Message, QueueUnavailableError, UnroutableError
from common.queue.sqlite.limits import Limits
from common.queue.sqlite.store import Store
from common.queue.sqlite.writer import TRANSACTION_BYTES, Writer
from tests.support.sqlite_queue import insert, settle
from tests.support.waiting import eventually

NOON = 1_795_262_400_000
QUICK = Limits(answer_seconds=0.2, goodbye_seconds=0.2)
DEADLINE_SECONDS = 10.0
"""For what has to end by itself; far above QUICK."""


class Disk:
    """A job that keeps the thread busy until it is released, as a disk that hangs would."""

    def __init__(self) -> None:
        self.is_stuck = threading.Event()
        self._released = threading.Event()

    def hang(self, _: Store) -> None:
        self.is_stuck.set()
        assert self._released.wait(DEADLINE_SECONDS)

    def release(self) -> None:
        self._released.set()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "queue.db"


@pytest.fixture
async def writer(path: Path) -> AsyncIterator[Writer]:
    writer = Writer(path, Limits(), name="test")
    yield writer
    await close(writer)


async def test_jobs_that_wait_at_the_same_moment_share_one_commit(writer: Writer) -> None:
    statements: list[str] = []
    await writer.run(lambda store: store._connection.set_trace_callback(statements.append))
    disk = Disk()
    hanging = writer.submit(disk.hang)
    await eventually(disk.is_stuck.is_set)
    waiting = [writer.submit(add(f"{number}")) for number in range(100)]
    disk.release()
    await asyncio.gather(hanging, *waiting)
    assert statements.count("BEGIN IMMEDIATE") == 2  # the hanging one's, and that of all others


async def test_a_transaction_holds_only_so_much(writer: Writer) -> None:
    statements: list[str] = []
    await writer.run(lambda store: store._connection.set_trace_callback(statements.append))
    disk = Disk()
    hanging = writer.submit(disk.hang)
    await eventually(disk.is_stuck.is_set)
    waiting = [writer.submit(add(f"{number}"), size=TRANSACTION_BYTES // 2) for number in range(6)]
    disk.release()
    await asyncio.gather(hanging, *waiting)
    assert statements.count("BEGIN IMMEDIATE") == 4


async def test_a_job_gives_its_result(writer: Writer) -> None:
    await writer.run(add("a"))
    assert await writer.run(count) == 1


async def test_a_job_that_refuses_fails_alone(writer: Writer) -> None:
    results = await run_together(writer, add("a"), refuse, add("b"))
    assert [type(result) for result in results] == [type(None), QueueUnavailableError, type(None)]
    assert await writer.run(count) == 2


async def test_a_bug_fails_the_job_that_has_it_and_leaves_nothing_of_it(writer: Writer) -> None:
    def add_and_fail(store: Store) -> None:
        add("half")(store)
        raise ZeroDivisionError

    results = await run_together(writer, add("a"), add_and_fail, add("b"))
    assert [type(result) for result in results] == [type(None), ZeroDivisionError, type(None)]
    assert await writer.run(count) == 2


async def test_without_room_only_those_fail_that_need_it(writer: Writer) -> None:
    await writer.run(add("old", size=50_000))
    (taken,) = await writer.run(lambda store: store.take(1, limit=1, now=NOON))
    await writer.run(limit_to_present_size)
    results = await run_together(writer, add("new", size=50_000), partial(settle, taken=taken))
    assert isinstance(results[0], QueueUnavailableError)
    assert "full" in str(results[0])
    assert results[1] is None
    assert await writer.run(count) == 0


async def test_a_job_that_was_withdrawn_in_time_is_not_done(writer: Writer) -> None:
    disk = Disk()
    hanging = writer.submit(disk.hang)
    await eventually(disk.is_stuck.is_set)
    writer.submit(add("a")).cancel()
    disk.release()
    await hanging
    assert await writer.run(count) == 0


async def test_the_deadline_is_kept_when_the_disk_hangs(path: Path) -> None:
    writer = Writer(path, QUICK, name="test")
    await writer.run(add("a"))
    disk = Disk()
    hanging = writer.submit(disk.hang)
    with pytest.raises(QueueUnavailableError, match="did not answer"):
        await asyncio.wait_for(writer.run(add("b")), DEADLINE_SECONDS)
    assert await eventually(lambda: "has not answered" in (writer.why_away or ""))
    disk.release()
    await hanging
    assert await writer.run(count) == 1  # what was late was withdrawn
    assert writer.why_away is None
    await close(writer)


async def test_what_would_need_too_much_memory_is_refused_at_once(path: Path) -> None:
    writer = Writer(path, Limits(answer_seconds=3600, waiting_bytes=1_000), name="test")
    disk = Disk()
    hanging = writer.submit(disk.hang)
    waiting = asyncio.create_task(writer.run(add("a"), size=900))
    await asyncio.sleep(0)
    with pytest.raises(QueueUnavailableError, match="900 bytes wait"):
        await asyncio.wait_for(writer.run(add("b"), size=200), DEADLINE_SECONDS)
    settling = asyncio.create_task(writer.run(count))  # what takes no memory is not refused
    disk.release()
    await asyncio.gather(hanging, waiting)
    assert await settling == 1
    await writer.run(add("b"), size=200)
    await close(writer)


async def test_one_that_is_larger_than_what_may_wait_is_taken_when_nothing_else_waits(path: Path) -> None:
    writer = Writer(path, Limits(waiting_bytes=1_000), name="test")
    await writer.run(add("a"), size=2_000)
    assert await writer.run(count) == 1
    await close(writer)


async def test_a_lock_that_another_process_keeps_fails_jobs_in_time_and_is_named(path: Path) -> None:
    writer = Writer(path, Limits(answer_seconds=0.2), name="test")
    await writer.run(add("a"))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(QueueUnavailableError):
        await asyncio.wait_for(writer.run(add("b")), DEADLINE_SECONDS)
    assert await eventually(lambda: "locked" in (writer.why_away or ""))
    other.close()
    await writer.run(add("c"))
    assert writer.why_away is None
    await close(writer)


async def test_a_file_that_was_deleted_is_noticed_before_anything_is_written_and_then_made_anew(
    writer: Writer, path: Path
) -> None:
    await writer.run(add("a"))
    delete(path)
    with pytest.raises(UnroutableError, match=str(path)):
        await writer.run(add("b"))
    await writer.run(add("c"))
    assert await writer.run(count) == 1


async def test_a_file_that_was_replaced_is_noticed(writer: Writer, path: Path, tmp_path: Path) -> None:
    await writer.run(add("a"))
    other = Store(tmp_path / "other.db", Limits())
    other.close()
    (tmp_path / "other.db").rename(path)
    with pytest.raises(UnroutableError):
        await writer.run(add("b"))


async def test_a_table_that_was_dropped_is_noticed_and_made_anew(writer: Writer, path: Path) -> None:
    await writer.run(add("a"))
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE message")
    connection.close()
    with pytest.raises(UnroutableError):
        await writer.run(add("b"))
    await writer.run(add("c"))
    assert await writer.run(count) == 1


async def test_closing_does_what_waits_and_what_comes_last_and_leaves_no_thread(path: Path) -> None:
    writer = Writer(path, Limits(), name="a name of its own")
    done: list[str] = []
    waiting = [writer.submit(lambda _, n=number: done.append(f"{n}")) for number in range(3)]  # type: ignore[misc]
    await writer.close(lambda _: done.append("last"))
    assert done == ["0", "1", "2", "last"]
    assert all(future.done() for future in waiting)
    assert not [thread for thread in threading.enumerate() if "a name of its own" in thread.name]
    await writer.close(lambda _: done.append("again"))
    assert "again" not in done


async def test_a_closed_writer_takes_nothing(writer: Writer) -> None:
    await close(writer)
    with pytest.raises(QueueUnavailableError, match="closed"):
        await writer.run(count)
    assert writer.why_away == "the queue was closed"


async def test_closing_ends_while_the_disk_hangs(path: Path) -> None:
    writer = Writer(path, QUICK, name="test")
    disk = Disk()
    hanging = writer.submit(disk.hang)
    with structlog.testing.capture_logs() as logs:
        await asyncio.wait_for(close(writer), DEADLINE_SECONDS)
    assert "queue.abandoned" in [entry["event"] for entry in logs]
    disk.release()
    await hanging
    await close(writer)


async def test_a_file_that_cannot_be_used_is_logged_once_and_again_when_it_can(path: Path) -> None:
    damage(path)
    with structlog.testing.capture_logs() as logs:
        writer = Writer(path, Limits(), name="test")
        for _ in range(3):
            with pytest.raises(QueueUnavailableError, match=str(path)):
                await writer.run(count)
        delete(path)
        await writer.run(count)
        await close(writer)
    assert [entry["event"] for entry in logs] == ["queue.lost", "queue.opened"]


def delete(path: Path) -> None:
    path.unlink()


def damage(path: Path) -> None:
    path.write_bytes(b"this is no database" * 100)


def add(text: str, *, size: int = 1) -> Callable[[Store], None]:
    return lambda store: insert(store, Message(b"x" * size, uplinks=1), 1, message_id=text)


def count(store: Store) -> int:
    return store.count(NOON, is_held=False).work


def refuse(_: Store) -> None:
    raise QueueUnavailableError("not now")


def limit_to_present_size(store: Store) -> None:
    (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
    store._connection.execute(f"PRAGMA max_page_count = {pages}").fetchall()


async def run_together(writer: Writer, *jobs: Callable[[Store], None]) -> list[BaseException | None]:
    """Run jobs in one transaction."""
    disk = Disk()
    hanging = writer.submit(disk.hang)
    await eventually(disk.is_stuck.is_set)
    futures = [writer.submit(job) for job in jobs]
    disk.release()
    await hanging
    return await asyncio.gather(*futures, return_exceptions=True)


async def close(writer: Writer) -> None:
    await writer.close(lambda _: None)
