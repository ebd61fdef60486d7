"""The books of the SQLite engine: exact, whoever is killed, and while others read them."""

import signal
import sys
from functools import partial
from pathlib import Path

import pytest

from common.queue.protocol import Books
from tests.support.processes import Process
from tests.support.sqlite_queue import opened
from tests.support.waiting import eventually

KILLS = 5
CUMULATIVE = ("accepted", "replayed", "delivered", "set_aside", "died")

WORK_FOR_EVER = """
import asyncio, random, sys, uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from common.dead_letter import DeadLetter
from common.queue.protocol import Message, Remainder
from common.queue.sqlite.engine import SqliteQueue
from common.reason import Reason

STEP = timedelta(milliseconds=50)

def write_letter(now):
    return DeadLetter(f"frame/{uuid.uuid4().hex}", Reason.INTERNAL_ERROR, "", 1, now, now, frame=b"?")

def choose_remainder(uplinks):
    now = datetime.now(UTC)
    parts = {"letters": [], "suspects": [], "later": [], "put_back": [], "delivered": 0, "set_aside": 0}
    for _ in range(uplinks):
        match random.choice(["delivered", "delivered", "delivered", *parts]):
            case "letters":
                parts["letters"].append(write_letter(now))
            case "later":
                parts["later"].append((Message(b"later", 1), STEP))
            case "suspects" | "put_back" as name:
                parts[name].append(Message(name.encode(), 1))
            case name:
                parts[name] += 1
    return Remainder(**parts)

async def publish(queue):
    while True:
        await queue.publish(Message(b"a", random.randrange(6)))

async def replay(queue):
    while True:
        letters = [letter async for letter in queue.dead_letters()]
        await queue.replay_dead_letters(letters[:5])
        await asyncio.sleep(0.02)

async def work(queue):
    async with queue.consume(prefetch=20) as deliveries:
        async for delivery in deliveries:
            if random.random() < 0.1:
                await delivery.hand_back()
            else:
                await delivery.settle(choose_remainder(delivery.message.uplinks))

async def run():
    queue = SqliteQueue(Path(sys.argv[1]), retry_steps=[STEP], dead_letter_age=timedelta(days=1), name="other")
    async with asyncio.TaskGroup() as tasks:
        for job in (publish, publish, work, work, replay):
            tasks.create_task(job(queue))

asyncio.run(run())
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "queue.db"


async def test_they_balance_at_any_moment_and_after_every_kill(path: Path) -> None:
    before = Books(0, 0, 0, 0, 0, 0)
    for _ in range(KILLS):
        worker = Process(sys.executable, "-c", WORK_FOR_EVER, str(path))
        try:
            await eventually(partial(has_grown, path, before))
        finally:
            worker.close()
        assert worker.exit_code == -signal.SIGKILL, worker.log
        before = await read_books(path)


async def has_grown(path: Path, before: Books) -> bool:
    """Whether there is more of everything than before."""
    books = await read_books(path)
    return all(getattr(books, name) > getattr(before, name) for name in CUMULATIVE)


async def read_books(path: Path) -> Books:
    """Read the books; they balance."""
    async with opened(path) as queue:
        books = await queue.books()
    assert books.surplus == 0, books
    return books
