"""The SQLite engine in one process: waking up, settling, poison, time."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from common.dead_letter import DeadLetter
from common.ladder import Ladder
from common.queue import open_queue
from common.queue.limits import DELIVERY_LIMIT
from common.queue.protocol import QueueUnavailableError, Remainder
from common.queue.sqlite import holding
from common.queue.sqlite.clock import read_clock, to_milliseconds
from common.queue.sqlite.engine import SqliteQueue
from common.queue.sqlite.limits import Limits
from common.queue.sqlite.store import Store
from common.reason import Reason
from tests.support.remains import DONE, bury, put_off, settle_one
from tests.support.sqlite_queue import STEPS, message, opened, publish_all
from tests.support.waiting import eventually, take, take_one

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
LETTER = DeadLetter("frame/0", Reason.INTERNAL_ERROR, "", 1, NOON, NOON, frame=b"?")

BLIND = Limits(look_seconds=3600)
"""Under these a consumer finds only what it is told of."""

DEADLINE_SECONDS = 10.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "queue.db"


@pytest.mark.parametrize("url", ["sqlite:", "sqlite://queue.db", "sqlite:///queue.db", "sqlite", "SQLite:queue.db"])
async def test_a_url_without_a_plain_path_is_refused_with_how_to_write_it(url: str) -> None:
    opening = open_queue(url, prefix="p", ladder=Ladder(), dead_letter_age=timedelta(days=1), name="n")
    with pytest.raises(ValueError, match="sqlite:PATH"):
        await opening.__aenter__()


async def test_a_relative_path_stays_where_it_was_when_the_process_changes_its_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    async with open_queue(
        "sqlite:var/queue.db", prefix="p", ladder=Ladder(), dead_letter_age=timedelta(days=1), name="n"
    ) as queue:
        monkeypatch.chdir(tmp_path / "elsewhere")
        await queue.publish(message("a"))
    assert (tmp_path / "var" / "queue.db").exists()


async def test_a_publish_wakes_the_consumer(path: Path) -> None:
    async with opened(path, BLIND) as queue, queue.consume(prefetch=1) as deliveries:
        waiting = asyncio.create_task(take_one(deliveries))
        await queue.depths()  # the consumer has looked, and found nothing
        await queue.publish(message("a"))
        assert (await waiting).message == message("a")


async def test_a_message_for_later_wakes_the_consumer_when_it_is_due(path: Path) -> None:
    async with opened(path, BLIND) as queue, queue.consume(prefetch=1) as deliveries:
        await queue.publish(message("before"))
        await settle_one(deliveries, Remainder(later=[(message("a"), STEPS[0])]))
        assert (await take_one(deliveries)).message == message("a")


async def test_a_settlement_makes_room_for_the_next(path: Path) -> None:
    async with opened(path, BLIND) as queue, queue.consume(prefetch=1) as deliveries:
        await publish_all(queue, "a", "b", "c")
        await settle_one(deliveries)
        await (await take_one(deliveries)).hand_back()
        again = await take_one(deliveries)
        assert (again.message, again.count) == (message("b"), 2)


async def test_an_idle_consumer_sleeps_until_it_is_due_to_look(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0
    take_messages = Store.take

    def counting_take(store: Store, holder: int, *, limit: int, now: int) -> object:
        nonlocal looks
        looks += 1
        return take_messages(store, holder, limit=limit, now=now)

    monkeypatch.setattr(Store, "take", counting_take)
    async with opened(path, BLIND) as queue, queue.consume(prefetch=1) as deliveries:
        await queue.publish(message("before"))
        await settle_one(deliveries, Remainder(later=[(message("a"), STEPS[1])]))
        looks = 0
        for _ in range(50):  # more than enough for a busy loop to show
            await queue.depths()
        assert looks <= 3


async def test_messages_come_in_the_order_in_which_they_were_published(path: Path) -> None:
    texts = [f"{number}" for number in range(500)]
    async with opened(path) as queue:
        await asyncio.gather(*(queue.publish(message(text)) for text in texts))
        async with queue.consume(prefetch=50) as deliveries:
            for text in texts:
                delivery = await take_one(deliveries)
                assert delivery.message == message(text)
                await delivery.settle(DONE)


async def test_consumers_of_one_queue_share_its_messages(path: Path) -> None:
    async with opened(path) as queue:
        await publish_all(queue, *(f"{number}" for number in range(20)))
        async with queue.consume(prefetch=10) as first, queue.consume(prefetch=10) as second:
            taken = [*await take(first, 10), *await take(second, 10)]
        assert len({delivery.message_id for delivery in taken}) == 20


async def test_a_second_queue_on_the_same_file_may_not_consume_until_the_first_is_closed(path: Path) -> None:
    async with opened(path) as second:
        async with opened(path) as first:
            async with first.consume(prefetch=1):
                pass
            with pytest.raises(QueueUnavailableError, match="has a consumer already"):
                await second.consume(prefetch=1).__aenter__()
        async with second.consume(prefetch=1) as deliveries:
            await second.publish(message("a"))
            await take_one(deliveries)


async def test_a_message_that_comes_back_too_often_is_poison_and_is_never_dropped(path: Path) -> None:
    async with opened(path) as queue:
        await queue.publish(message("a"))
        async with queue.consume(prefetch=1) as deliveries:
            for count in range(1, DELIVERY_LIMIT + 20):
                delivery = await take_one(deliveries)
                assert (delivery.count, delivery.poisoned) == (count, count > DELIVERY_LIMIT + 1)
                await delivery.hand_back()
        depths = await queue.depths()
        assert (depths.work, depths.poison) == (0, 1)


async def test_what_nobody_opened_does_not_count_as_delivered(path: Path) -> None:
    async with opened(path) as queue:
        await publish_all(queue, "a", "b")
        async with queue.consume(prefetch=2) as deliveries:
            await (await take_one(deliveries)).hand_back()
        async with queue.consume(prefetch=2) as deliveries:
            assert [delivery.count for delivery in await take(deliveries, 2)] == [2, 1]


async def test_what_nobody_had_opened_when_the_queue_was_closed_does_not_count_as_delivered(path: Path) -> None:
    async with opened(path) as queue:
        await publish_all(queue, "a", "b")
        async with queue.consume(prefetch=2) as deliveries:
            await take_one(deliveries)
            await eventually(lambda: has_work(queue, 0))
            await queue.close()
    async with opened(path) as queue, queue.consume(prefetch=2) as deliveries:
        assert [delivery.count for delivery in await take(deliveries, 2)] == [2, 1]


async def test_what_a_look_finds_while_the_consumer_is_leaving_goes_back(path: Path) -> None:
    async with opened(path) as queue:
        await queue.publish(message("a"))
        released = threading.Event()
        hanging = queue._writer.submit(lambda _: released.wait(DEADLINE_SECONDS))
        consuming = queue.consume(prefetch=1)
        await consuming.__aenter__()
        await asyncio.sleep(0)  # now it looks, and waits in line
        leaving = asyncio.create_task(consuming.__aexit__(None, None, None))
        await asyncio.sleep(0)
        released.set()
        await asyncio.gather(hanging, leaving)
        assert (await queue.depths()).work == 1


async def test_a_clock_that_was_set_back_makes_nothing_wait_longer_than_the_longest_step(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(path) as queue:
        with monkeypatch.context() as tomorrow:
            tomorrow.setattr(holding, "read_clock", lambda: read_clock() + to_milliseconds(timedelta(days=1)))
            await put_off(queue, message("a"), STEPS[0])
        async with queue.consume(prefetch=1):
            latest = read_clock() + to_milliseconds(2 * STEPS[1])
            await eventually(lambda: queue._writer.run(lambda store: (store.next_due(0) or latest) < latest))


async def test_a_delivery_is_lost_with_its_queue_and_not_before(path: Path) -> None:
    async with opened(path) as queue:
        await queue.publish(message("a"))
        async with queue.consume(prefetch=1) as deliveries:
            delivery = await take_one(deliveries)
        assert not delivery.is_lost
    assert delivery.is_lost
    with pytest.raises(QueueUnavailableError, match="closed"):
        await delivery.settle(DONE)


async def test_letters_beyond_their_age_are_neither_listed_nor_kept(path: Path) -> None:
    async with opened(path) as queue:
        await bury(queue, [LETTER])
    async with opened(path, dead_letter_age=timedelta(0)) as queue:
        assert [letter async for letter in queue.dead_letters()] == []
        assert (await queue.depths()).dead == 1
        async with queue.consume(prefetch=1):
            await eventually(lambda: has_no_letters(queue))


async def test_a_queue_that_is_closed_leaves_no_thread_and_may_not_consume(path: Path) -> None:
    before = threading.active_count()
    async with opened(path) as queue:
        await queue.publish(message("a"))
        assert threading.active_count() == before + 1
        await queue.close()
        assert threading.active_count() == before
        with pytest.raises(QueueUnavailableError, match="closed"):
            await queue.consume(prefetch=1).__aenter__()


async def has_work(queue: SqliteQueue, messages: int) -> bool:
    return (await queue.depths()).work == messages


async def has_no_letters(queue: SqliteQueue) -> bool:
    return (await queue.depths()).dead == 0
