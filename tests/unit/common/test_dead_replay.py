"""Replaying and purging: page by page, at a pace, and never half a page."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from common import dead_replay as module
from common.dead_letter import DeadLetter
from common.dead_replay import LARGEST_PAGE, Replayer, finish, purge
from common.queue.protocol import QueueUnavailableError
from tests.support.letters import build_letter
from tests.support.queues import FakeQueue
from tests.support.waiting import eventually


class PagedQueue(FakeQueue):
    """Notes the pages that it was given."""

    def __init__(self, letters: Sequence[DeadLetter]) -> None:
        super().__init__()
        self.letters = list(letters)
        self.pages: list[int] = []

    async def replay_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        self.pages.append(len(letters))
        await super().replay_dead_letters(letters)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that stands still but for what is slept; its only member is the time."""
    now = [1_000.0]

    async def sleep(seconds: float) -> None:
        now[0] += max(0.0, seconds)

    monkeypatch.setattr("common.dead_replay.asyncio.sleep", sleep)
    monkeypatch.setattr("common.dead_replay.time.monotonic", lambda: now[0])
    return now


async def listed(letters: Sequence[DeadLetter]) -> AsyncIterator[DeadLetter]:
    for letter in letters:
        yield letter


def letters_of(count: int) -> list[DeadLetter]:
    return [build_letter(index) for index in range(count)]


@pytest.mark.usefixtures("clock")
async def test_every_letter_is_replayed_and_told() -> None:
    letters = letters_of(23)
    told: list[int] = []
    queue = PagedQueue(letters)
    replayer = Replayer(queue, rate=40, on_progress=told.append)
    await replayer.replay(listed(letters))
    assert [envelope.items[0][0] for envelope in queue.accepted()] == list(range(23))
    assert queue.letters == []
    assert (replayer.replayed, sum(told)) == (23, 23)


@pytest.mark.parametrize(("rate", "page"), [(1, 1), (3, 1), (40, 10), (1_000_000, LARGEST_PAGE)])
@pytest.mark.usefixtures("clock")
async def test_a_page_is_a_part_of_a_second_and_bounded(rate: int, page: int) -> None:
    letters = letters_of(2 * page)
    queue = PagedQueue(letters)
    await Replayer(queue, rate=rate, on_progress=lambda _: None).replay(listed(letters))
    assert queue.pages == [page, page]


async def test_no_more_are_replayed_in_a_second_than_was_said(clock: list[float]) -> None:
    letters = letters_of(101)
    await Replayer(PagedQueue(letters), rate=20, on_progress=lambda _: None).replay(listed(letters))
    assert clock[0] - 1_000 == pytest.approx(5)


async def test_a_queue_that_is_slower_than_the_pace_is_not_waited_for_as_well(clock: list[float]) -> None:
    letters = letters_of(40)

    def take_five_seconds(_: int) -> None:
        clock[0] += 5

    await Replayer(PagedQueue(letters), rate=40, on_progress=take_five_seconds).replay(listed(letters))
    assert clock[0] - 1_000 == pytest.approx(20)


async def test_a_page_that_is_under_way_is_finished_when_the_replay_is_cancelled() -> None:
    letters = letters_of(10)
    queue = PagedQueue(letters)
    queue.hold()
    replayer = Replayer(queue, rate=20, on_progress=lambda _: None)
    replaying = asyncio.create_task(replayer.replay(listed(letters)))
    await eventually(lambda: queue.pages)
    replaying.cancel()
    done, _ = await asyncio.wait({replaying}, timeout=0.05)
    assert not done
    queue.release()
    with pytest.raises(asyncio.CancelledError):
        await replaying
    assert replayer.replayed == 5
    assert len(queue.published) == 5
    assert len(queue.letters) == 5


async def test_what_the_queue_does_not_take_stays_on_the_list() -> None:
    letters = letters_of(10)
    queue = PagedQueue(letters)
    queue.refuse(QueueUnavailableError("away"))
    replayer = Replayer(queue, rate=1_000, on_progress=lambda _: None)
    with pytest.raises(QueueUnavailableError):
        await replayer.replay(listed(letters))
    assert (replayer.replayed, queue.letters) == (0, letters)


async def test_purging_goes_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MARKED_AT_ONCE", 2)
    told: list[int] = []
    queue = PagedQueue(letters_of(5))
    await purge(queue, [letter.id for letter in queue.letters], on_progress=told.append)
    assert queue.letters == []
    assert told == [2, 2, 1]
    assert {disposition for _, disposition in queue.marks} == {"purged"}


async def test_what_was_begun_is_finished_and_its_failure_does_not_hide_the_cancellation() -> None:
    begun = asyncio.Event()

    async def fail() -> None:
        begun.set()
        await asyncio.sleep(0)
        raise QueueUnavailableError("away")

    task = asyncio.create_task(finish(fail()))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
