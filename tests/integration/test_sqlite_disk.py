"""The SQLite engine and its disk: full ones, and how much of them it takes."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from common.dead_letter import DeadLetter
from common.queue.protocol import Delivery, Depths, Message, QueueUnavailableError, Remainder
from common.queue.sqlite.engine import SqliteQueue
from common.queue.sqlite.limits import Limits
from common.reason import Reason
from tests.support.remains import DONE
from tests.support.sqlite_queue import delete, opened, write
from tests.support.waiting import eventually, take, take_one

MEGABYTE = 1_000_000
BODY = Message(b"x" * 20_000, uplinks=1)
SMALL_BODY = Message(b"x", uplinks=1)
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
LETTER = DeadLetter("frame/0", Reason.INTERNAL_ERROR, "", 1, NOON, NOON, frame=b"?")
NO_RESERVE = Limits(reserve_bytes=0, pause_seconds=0.05)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "queue.db"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MB, in memory."""
    mount, umount = shutil.which("mount"), shutil.which("umount")
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or mount is None or umount is None:
        pytest.skip("only the superuser can mount a small disk")
    mounting = subprocess.run([mount, "-t", "tmpfs", "-o", "size=16m", "tmpfs", folder], check=False)
    if mounting.returncode != 0:
        pytest.skip("no small disk can be mounted here")
    yield folder
    subprocess.run([umount, "--lazy", folder], check=True)


async def test_a_full_disk_refuses_publishes_loses_nothing_and_takes_them_again_when_there_is_room(
    small_disk: Path,
) -> None:
    ballast = small_disk / "ballast"
    write(ballast, 3 * MEGABYTE)
    async with opened(small_disk / "queue.db", NO_RESERVE) as queue:
        published = await fill(queue)
        assert "full" in (queue.unavailable or "")
        assert (await queue.depths()).work == published
        delete(ballast)
        await queue.publish(BODY)
        assert queue.unavailable is None
        assert await drain(queue) == published + 1


async def test_what_cannot_be_settled_on_a_full_disk_is_settled_when_there_is_room(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    write(ballast, 4 * MEGABYTE)
    async with opened(small_disk / "queue.db", NO_RESERVE) as queue:
        for _ in range(10):
            await queue.publish(BODY)
        async with queue.consume(prefetch=10) as deliveries:
            in_hand = await take(deliveries, 10)
            published = await fill(queue) + await fill(queue, SMALL_BODY)
            letters = Remainder(letters=[replace(LETTER, frame=b"x" * 100_000)])
            settling = [asyncio.create_task(delivery.settle(letters)) for delivery in in_hand]
            _, unsettled = await asyncio.wait(settling, timeout=1)
            assert unsettled
            delete(ballast)
            await asyncio.gather(*settling)
            others = await settle_all(deliveries, published)
        assert not {delivery.message_id for delivery in in_hand} & {delivery.message_id for delivery in others}
        assert await queue.depths() == Depths(work=0, retry=0, suspects=0, poison=0, dead=10)


async def test_a_consumer_may_start_on_a_full_disk(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    async with opened(small_disk / "queue.db", NO_RESERVE) as queue:
        await queue.publish(BODY)
        write(ballast, shutil.disk_usage(small_disk).free)
        async with queue.consume(prefetch=1) as deliveries:
            delete(ballast)
            assert (await take_one(deliveries)).message == BODY


async def test_the_reserve_lets_a_queue_be_drained_that_has_filled_its_disk(small_disk: Path) -> None:
    async with opened(small_disk / "queue.db", Limits(reserve_bytes=3 * MEGABYTE)) as queue:
        published = await fill(queue)
        assert shutil.disk_usage(small_disk).free < 3 * MEGABYTE
        assert await drain(queue) == published
        await queue.publish(BODY)  # into what is free within the file


async def test_a_disk_that_is_full_at_the_start_is_named_as_such(small_disk: Path) -> None:
    write(small_disk / "ballast", shutil.disk_usage(small_disk).free)
    async with opened(small_disk / "queue.db", NO_RESERVE) as queue:
        with pytest.raises(QueueUnavailableError, match="disk is full"):
            await queue.publish(BODY)
        delete(small_disk / "ballast")
        await queue.publish(BODY)


async def test_a_file_that_may_not_grow_refuses_publishes_and_loses_nothing(path: Path) -> None:
    """The same where no disk can be mounted: SQLite's own limit of the file's size is met like a full disk."""
    async with opened(path) as queue:
        await queue._writer.run(lambda store: store._connection.execute("PRAGMA max_page_count = 500").fetchall())
        published = await fill(queue)
        assert "full" in (queue.unavailable or "")
        assert (await queue.depths()).work == published > 0
        await queue._writer.run(lambda store: store._connection.execute("PRAGMA max_page_count = 5000").fetchall())
        await queue.publish(BODY)
        assert await drain(queue) == published + 1


async def test_the_file_does_not_grow_from_round_to_round_and_is_small_again_when_drained(path: Path) -> None:
    sizes = []
    async with opened(path) as queue:
        for _ in range(3):
            await asyncio.gather(*(queue.publish(BODY) for _ in range(50 * MEGABYTE // len(BODY.body))))
            sizes.append(size_of(path))
            assert await drain(queue) == 50 * MEGABYTE // len(BODY.body)
            await eventually(lambda: size_of(path) < 20 * MEGABYTE)
    assert max(sizes) < 100 * MEGABYTE
    assert 50 * MEGABYTE < sizes[-1] < sizes[0] * 1.2


def size_of(path: Path) -> int:
    """What the queue takes of the disk, log included."""
    return sum(file.stat().st_size for file in path.parent.iterdir() if file.name.startswith(path.name))


async def fill(queue: SqliteQueue, message: Message = BODY) -> int:
    """Publish until no more is taken; give how many were."""
    published = 0
    refusal: QueueUnavailableError | None = None
    while refusal is None:
        try:
            await queue.publish(message)
            published += 1
        except QueueUnavailableError as error:
            refusal = error
    assert "disk is full" in str(refusal)
    return published


async def drain(queue: SqliteQueue) -> int:
    """Settle everything; give how many there were."""
    waiting = (await queue.depths()).work
    async with queue.consume(prefetch=100) as deliveries:
        await settle_all(deliveries, waiting)
    assert (await queue.depths()).work == 0
    return waiting


async def settle_all(deliveries: AsyncIterator[Delivery], count: int) -> list[Delivery]:
    taken = []
    async with asyncio.TaskGroup() as settling:
        for _ in range(count):
            taken.append(await take_one(deliveries))
            settling.create_task(taken[-1].settle(DONE))
    return taken
