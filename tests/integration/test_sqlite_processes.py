"""The SQLite engine between processes: killed ones, a second consumer, and tools beside a running one."""

import asyncio
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from common.dead_letter import DeadLetter
from common.queue.protocol import Message, QueueUnavailableError
from common.queue.sqlite.engine import SqliteQueue
from common.reason import Reason
from tests.support.processes import Process
from tests.support.remains import DONE, bury
from tests.support.sqlite_queue import opened
from tests.support.waiting import eventually, take_one

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)

BEGIN = """
import asyncio, itertools, json, sys
from datetime import timedelta
from pathlib import Path
import structlog
from common.dead_letter import Disposition
from common.queue.protocol import Message
from common.queue.sqlite.engine import SqliteQueue

structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # apart from what is told

def tell(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)

async def main(queue):
"""

END = """

async def run():
    queue = SqliteQueue(
        Path(sys.argv[1]), retry_steps=[timedelta(hours=1)], dead_letter_age=timedelta(days=1), name="other"
    )
    await main(queue)
    await queue.close()

asyncio.run(run())
"""

PUBLISH_FOR_EVER = """
    async def publish(lane):
        for number in itertools.count():
            text = f"{lane}-{number}"
            await queue.publish(Message(text.encode(), uplinks=1))
            tell("confirmed", text=text)
    await asyncio.gather(*map(publish, range(8)))
"""

PUBLISH_ONCE = """
    await queue.publish(Message(b"from another process", uplinks=1))
    tell("confirmed")
"""

CONSUME_AND_KEEP = """
    async with queue.consume(prefetch=3) as deliveries:
        tell("consuming")
        async for delivery in deliveries:
            tell("taken", text=delivery.message.body.decode(), count=delivery.count)
"""

USE_AS_AN_OPERATOR = """
    first, *_ = [letter.id async for letter in queue.dead_letters()]
    await queue.mark_dead_letters([first], Disposition.PURGED)
    depths = await queue.depths()
    letters = [letter.uplink_id async for letter in queue.dead_letters()]
    tell("seen", work=depths.work, dead=depths.dead, letters=letters)
"""


@contextmanager
def started(program: str, path: Path) -> Iterator[Process]:
    """Run a program of the above in a process of its own."""
    process = Process(sys.executable, "-c", BEGIN + program + END, str(path))
    try:
        yield process
    finally:
        process.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "queue.db"


async def test_killing_a_publisher_loses_nothing_that_was_confirmed(path: Path) -> None:
    with started(PUBLISH_FOR_EVER, path) as publisher:
        await eventually(lambda: len(events(publisher, "confirmed")) >= 500)
        publisher.kill()
    confirmed = {event["text"] for event in events(publisher, "confirmed")}
    assert len(confirmed) >= 500
    async with opened(path) as queue:
        stored = await drain(queue)
    assert confirmed <= stored
    assert len(stored - confirmed) <= 8  # what was under way


async def test_what_a_killed_consumer_had_in_hand_comes_again_and_is_counted(path: Path) -> None:
    async with opened(path) as queue:
        for text in ("a", "b", "c", "d"):
            await queue.publish(Message(text.encode(), uplinks=1))
        with started(CONSUME_AND_KEEP, path) as consumer:
            await eventually(lambda: len(events(consumer, "taken")) == 3)
            assert (await queue.depths()).work == 1
            consumer.kill()
        assert (await queue.depths()).work == 4  # nobody has it in hand any more
        async with queue.consume(prefetch=4) as deliveries:
            taken = [await take_one(deliveries) for _ in range(4)]
    assert [(delivery.message.body, delivery.count) for delivery in taken] == [
        (b"a", 2),
        (b"b", 2),
        (b"c", 2),
        (b"d", 1),
    ]


async def test_a_second_consumer_is_refused_with_who_the_first_is_until_that_one_dies(path: Path) -> None:
    async with opened(path) as queue:
        with started(CONSUME_AND_KEEP, path) as first:
            await eventually(lambda: events(first, "consuming"))
            with pytest.raises(QueueUnavailableError) as refusal:
                await queue.consume(prefetch=1).__aenter__()
            for part in (str(path), f"process {first._process.pid} on {socket.gethostname()} since "):
                assert part in str(refusal.value)
            first.kill()
        async with queue.consume(prefetch=1) as deliveries:
            await queue.publish(Message(b"a", uplinks=1))
            await take_one(deliveries)


async def test_a_consumer_notices_what_another_process_publishes(path: Path) -> None:
    async with opened(path) as queue, queue.consume(prefetch=1) as deliveries:
        await queue.depths()
        with started(PUBLISH_ONCE, path) as publisher:
            assert (await take_one(deliveries)).message.body == b"from another process"
            await eventually(lambda: events(publisher, "confirmed"))


async def test_an_operators_tools_work_beside_a_running_consumer(path: Path) -> None:
    letters = [DeadLetter(name, Reason.INTERNAL_ERROR, "", 1, NOON, NOON, frame=b"?") for name in "ab"]
    async with opened(path) as queue:
        await bury(queue, letters)
        await queue.publish(Message(b"a", uplinks=1))
        await queue.publish(Message(b"b", uplinks=1))
        async with queue.consume(prefetch=1) as deliveries:
            delivery = await take_one(deliveries)
            with started(USE_AS_AN_OPERATOR, path) as tool:
                await eventually(lambda: events(tool, "seen"))
            assert events(tool, "seen") == [{"event": "seen", "work": 1, "dead": 3, "letters": ["b"]}]
            await delivery.settle(DONE)
            assert (await take_one(deliveries)).message.body == b"b"


async def test_several_processes_may_publish_at_once_to_a_file_that_they_make(path: Path) -> None:
    with started(PUBLISH_FOR_EVER, path) as first, started(PUBLISH_FOR_EVER, path) as second:
        await eventually(lambda: all(len(events(process, "confirmed")) >= 100 for process in (first, second)))
        first.kill()
        second.kill()
    async with opened(path) as queue:
        assert (await queue.depths()).work >= len(events(first, "confirmed")) + len(events(second, "confirmed"))


def events(process: Process, event: str) -> list[dict[str, Any]]:
    """What a program has told so far."""
    return [line for line in list(process.lines) if line.get("event") == event]


async def drain(queue: SqliteQueue) -> set[str]:
    """Take and settle everything."""
    texts = set()
    waiting = (await queue.depths()).work
    async with queue.consume(prefetch=256) as deliveries, asyncio.TaskGroup() as settling:
        for _ in range(waiting):
            delivery = await take_one(deliveries)
            texts.add(delivery.message.body.decode())
            settling.create_task(delivery.settle(DONE))
    return texts
