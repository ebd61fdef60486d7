import asyncio
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from common.directory.model import Downstream
from common.metrics import REGISTRY
from tests.support.directories import StaticDirectory, build_directory, build_key
from tests.support.waiting import eventually
from workers import governor as module
from workers.answers import ThrottledError
from workers.governor import CROWDED_WAIT, Governor


def build_governor(*, per_minute: int = 0, crowd: int = 100, profiles: tuple[str, ...] = ("default",)) -> Governor:
    keys = [replace(build_key(name), profile=name) for name in profiles]
    directory = build_directory(*keys)
    directory = replace(directory, downstream=Downstream("http://downstream", per_minute))
    return Governor(StaticDirectory(directory), crowd=crowd)


def soon() -> float:
    return asyncio.get_running_loop().time() + 60


async def test_without_a_limit_nobody_waits() -> None:
    governor = build_governor()
    for _ in range(1_000):
        with pytest.raises(StopIteration):  # it ends at once, and not when the loop comes back to it
            governor.turn("default", 1, until=soon()).send(None)


async def check_pace(governor: Governor, *, interval: float) -> None:
    """Post at once what there is: each leaves so many seconds after the one before, and none sooner."""
    clock = asyncio.get_running_loop().time
    began = clock()

    async def leave() -> float:
        await governor.turn("default", 1, until=soon())
        return clock() - began

    moments = await asyncio.gather(*(leave() for _ in range(4)))
    assert all(moment > number * interval - 1e-6 for number, moment in enumerate(moments)), moments
    assert min(later - earlier for earlier, later in pairwise(moments)) > interval / 2, moments


async def test_posts_leave_evenly_a_little_below_the_limit() -> None:
    await check_pace(build_governor(per_minute=600), interval=0.1 / 0.95)


async def test_workers_share_the_limit() -> None:
    governor = build_governor(per_minute=2_400)
    governor.workers = 4
    await check_pace(governor, interval=0.1 / 0.95)


async def test_a_pause_holds_its_profile_and_no_other() -> None:
    governor = build_governor(profiles=("slow", "other"))
    governor.pause("slow", timedelta(seconds=100))
    waiting = asyncio.create_task(governor.turn("slow", 1, until=soon() + 7_200))
    await governor.turn("other", 1, until=soon())
    await governor.wait_unpaused("other")
    assert not waiting.done()
    assert governor.paused["slow"] == pytest.approx(100, abs=5)
    governor.stop()
    with pytest.raises(ThrottledError, match="the worker stops"):
        await waiting


async def test_a_pause_that_comes_while_somebody_waits_holds_them_too() -> None:
    governor = build_governor(per_minute=600)
    await governor.turn("default", 1, until=soon())
    second = asyncio.create_task(governor.turn("default", 1, until=soon()))
    await asyncio.sleep(0)
    governor.pause("default", timedelta(seconds=0.3))
    began = asyncio.get_running_loop().time()
    await second
    assert asyncio.get_running_loop().time() - began >= 0.29


async def test_a_429_that_names_no_time_pauses_until_the_next_minute_begins() -> None:
    directory = StaticDirectory(build_directory(build_key()))
    governor = Governor(directory, crowd=1, wall_clock=lambda: 1_000_000_050.0)  # a minute begins at a multiple of 60
    governor.pause("default", None)
    assert governor.paused["default"] == pytest.approx(60 - 1_000_000_050 % 60, abs=1)


async def test_a_shorter_pause_does_not_end_a_longer_one_and_a_longer_one_goes_on() -> None:
    governor = build_governor()
    before = REGISTRY.get_sample_value("sluice_profile_pauses_total") or 0
    for seconds in (50, 1, 100):
        governor.pause("default", timedelta(seconds=seconds))
        assert governor.paused["default"] == pytest.approx(max(seconds, 50), abs=5)
    assert REGISTRY.get_sample_value("sluice_profile_pauses_total") == before + 1


async def test_who_cannot_have_a_turn_in_time_is_told_so() -> None:
    governor = build_governor()
    governor.pause("default", timedelta(seconds=100))
    with pytest.raises(ThrottledError, match="in time"):
        await governor.turn("default", 1, until=asyncio.get_running_loop().time() + 0.01)


async def test_a_profile_with_too_many_here_makes_room_for_the_others() -> None:
    governor = build_governor(crowd=10, profiles=("slow", "other"))
    governor.pause("slow", timedelta(seconds=100))
    waiting = asyncio.create_task(governor.turn("slow", 10, until=soon() + 7_200))
    await asyncio.sleep(0)
    with pytest.raises(ThrottledError) as crowded:
        await governor.turn("slow", 1, until=soon())
    assert crowded.value.retry_after == CROWDED_WAIT
    governor.stop()
    await asyncio.wait({waiting})


async def test_who_has_had_a_turn_waits_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 1)
    governor = build_governor(crowd=1, profiles=("slow", "other"))
    for _ in range(2):
        governor.pause("slow", timedelta(seconds=0.01))
        await governor.turn("slow", 1, until=soon())
        assert governor.is_free("slow")


async def test_the_only_profile_may_have_everything() -> None:
    governor = build_governor(crowd=1)
    governor.pause("default", timedelta(seconds=100))
    waiting = [asyncio.create_task(governor.turn("default", 5, until=soon() + 7_200)) for _ in range(3)]
    await eventually(lambda: governor._waiting_uplinks == 15)
    governor.stop()
    await asyncio.wait(waiting)


async def test_a_pause_of_hours_is_not_waited_for_in_hand() -> None:
    governor = build_governor()
    governor.pause("default", timedelta(hours=1))
    for waiting in (governor.turn("default", 1, until=soon() + 7_200), governor.wait_unpaused("default")):
        with pytest.raises(ThrottledError, match="paused") as paused:
            await waiting
        assert paused.value.retry_after == pytest.approx(timedelta(hours=1), abs=timedelta(seconds=5))


async def test_many_who_wait_alone_crowd_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 3)
    governor = build_governor(crowd=1_000, profiles=("slow", "slower", "other"))
    for profile in ("slow", "slower"):
        governor.pause(profile, timedelta(seconds=100))
    waiting = [asyncio.create_task(governor.turn(p, 1, until=soon() + 7_200)) for p in ("slow", "slow", "slower")]
    await eventually(lambda: governor._waiting == 3)
    with pytest.raises(ThrottledError, match="too many"):
        await governor.turn("slower", 1, until=soon())
    await governor.turn("other", 1, until=soon())
    governor.stop()
    await asyncio.wait(waiting)


async def test_who_waits_already_when_a_pause_grows_long_waits_no_more() -> None:
    governor = build_governor()
    governor.pause("default", timedelta(seconds=0.05))
    waiting = asyncio.create_task(governor.wait_unpaused("default"))
    await eventually(lambda: governor._waiting == 1)
    governor.pause("default", timedelta(hours=1))
    with pytest.raises(ThrottledError, match="paused"):
        await asyncio.wait_for(waiting, 10)
