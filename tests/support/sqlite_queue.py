"""The embedded queue for tests: opened with limits of the test's own, and troubled from outside."""

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from datetime import timedelta
from pathlib import Path

from common.queue.protocol import Message, QueueUnavailableError, Remainder
from common.queue.sqlite.engine import SqliteQueue
from common.queue.sqlite.limits import Limits
from common.queue.sqlite.settling import NewMessage, encode_remainder
from common.queue.sqlite.store import Store, TakenMessage
from tests.support.remains import DONE
from tests.support.waiting import eventually

STEPS = (timedelta(milliseconds=200), timedelta(hours=1))


@asynccontextmanager
async def opened(
    path: Path, limits: Limits | None = None, *, dead_letter_age: timedelta = timedelta(days=1)
) -> AsyncIterator[SqliteQueue]:
    queue = SqliteQueue(path, retry_steps=STEPS, dead_letter_age=dead_letter_age, name="test", limits=limits)
    try:
        yield queue
    finally:
        await queue.close()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep everybody else from writing to the file."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield


def write(path: Path, size: int) -> None:
    path.write_bytes(b"x" * size)


def delete(path: Path) -> None:
    path.unlink()


def message(text: str) -> Message:
    return Message(text.encode(), uplinks=1)


def insert(store: Store, new: Message, due_at: int, *, message_id: str | None = None) -> None:
    """Have a message in the file, called after its body, as a settlement may put it there."""
    store._insert(NewMessage(message_id or new.body.decode(), new, due_at))


def settle(store: Store, taken: TakenMessage, remainder: Remainder = DONE, *, now: int = 0) -> None:
    """Settle what was taken, within the store's transaction."""
    store.settle(taken.id, taken.message_id, encode_remainder(remainder, STEPS, now))


async def publish_all(queue: SqliteQueue, *texts: str) -> None:
    for text in texts:
        await queue.publish(message(text))


async def repeat_until_done(call: Callable[[], Awaitable[None]]) -> None:
    """Repeat what the queue does not take."""

    async def done() -> bool:
        try:
            await call()
        except QueueUnavailableError:
            return False
        return True

    await eventually(done)
