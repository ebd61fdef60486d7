"""Whose run comes next."""

import asyncio

import pytest

from registry.parsers import run_queue
from registry.parsers.run_queue import Job, ParsersBusyError, RunQueue


@pytest.fixture
async def queue() -> RunQueue:
    return RunQueue()


def add(queue: RunQueue, *profiles: str) -> list[Job]:
    jobs = [Job(profile, [], {}, None) for profile in profiles]
    for job in jobs:
        queue.add(job)
    return jobs


def take(queue: RunQueue, seconds: float = 1.0) -> str:
    """Take the next job, say how long it took, and give its profile; nothing where nothing waits."""
    job = queue.take(lambda _: True)
    if job is None:
        return ""
    queue.charge(job, seconds)
    return job.profile


def take_all(queue: RunQueue) -> str:
    return "".join(iter(lambda: take(queue), ""))


async def test_one_profile_s_runs_come_in_their_order(queue: RunQueue) -> None:
    jobs = add(queue, "A", "A", "A")
    assert [queue.take(lambda _: False) for _ in range(4)] == [*jobs, None]


async def test_of_the_first_runs_of_a_profile_one_that_is_preferred_comes_before_the_others(queue: RunQueue) -> None:
    first, second, third = add(queue, "A", "A", "B")
    assert queue.take(lambda job: job in {second, third}) is second
    assert queue.take(lambda job: job is third) is first


async def test_profiles_take_turns(queue: RunQueue) -> None:
    add(queue, *"AAABBC")
    assert take_all(queue) == "ABCABA"


async def test_who_has_slow_runs_has_fewer_of_them(queue: RunQueue) -> None:
    add(queue, *"AAABBBBBBBB")
    assert take(queue, seconds=4) == "A"
    assert take_all(queue) == "BBBBABABBB"


async def test_time_that_nobody_else_needed_is_nobody_s_credit(queue: RunQueue) -> None:
    add(queue, *"AAAAAAAA")
    for _ in range(4):
        assert take(queue) == "A"
    add(queue, *"BBBB")
    assert take_all(queue) == "BABABABA"


async def test_a_profile_has_no_more_waiting_than_there_is_room_left_for_others(
    queue: RunQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_queue, "MOST_WAITING", 8)
    for profile, taken in (("A", 4), ("B", 2), ("C", 1), ("D", 1)):
        add(queue, *profile * taken)
        with pytest.raises(ParsersBusyError):
            add(queue, profile)
    with pytest.raises(ParsersBusyError):
        add(queue, "E")
    take(queue)
    add(queue, "E")


async def test_runs_that_nobody_waits_for_any_more_keep_no_place(
    queue: RunQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_queue, "MOST_WAITING", 4)
    for job in add(queue, "A", "A"):
        job.fail(ParsersBusyError())
        assert isinstance(job.outcome.exception(), ParsersBusyError)
    add(queue, "A", "A")
    assert take_all(queue) == "AA"


async def test_a_run_waits_only_so_long_and_is_not_given_afterwards(
    queue: RunQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_queue, "LONGEST_WAIT_SECONDS", 0.0)
    waiting, taken = add(queue, "A", "B")
    assert queue.take(lambda job: job is taken) is waiting
    with pytest.raises(ParsersBusyError):
        await taken.outcome
    assert not waiting.outcome.done()
    assert take(queue) == ""


async def test_what_nobody_waits_for_any_more_is_passed_by(queue: RunQueue) -> None:
    gone, _ = add(queue, "A", "B")
    gone.outcome.cancel()
    await asyncio.sleep(0)
    assert take_all(queue) == "B"
