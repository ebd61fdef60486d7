import asyncio

import pytest

from tests.support.waiting import eventually
from workers import breaker as module
from workers.answers import AwayError, TransientError
from workers.breaker import MANY_DEVICES, TRIAL_SUCCESSES, Breaker


class Probed:
    """A downstream that is there or not."""

    def __init__(self) -> None:
        self.is_there = True
        self.probes = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def __call__(self) -> None:
        self.probes += 1
        await self.may_answer.wait()
        if not self.is_there:
            raise TransientError("ConnectError")


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(module, "LONGEST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(module, "TRUSTED_SECONDS", 0)


async def test_one_failure_while_the_downstream_answers_opens_nothing() -> None:
    probed = Probed()
    breaker = Breaker(probed)
    breaker.note_failure("A")
    assert not await breaker.find_away()
    assert (breaker.is_open, probed.probes) == (False, 1)


async def test_it_opens_when_the_downstream_does_not_answer_the_probe_and_closes_when_it_does() -> None:
    probed = Probed()
    probed.is_there = False
    breaker = Breaker(probed)
    breaker.note_failure("A")
    assert await breaker.find_away()
    assert breaker.why_open == "ConnectError"
    probed.is_there = True
    await asyncio.wait_for(breaker.wait_closed(), 10)
    assert not breaker.is_away


async def test_failures_for_many_devices_and_no_success_open_it_though_the_probe_is_answered() -> None:
    breaker = Breaker(Probed())
    for device in range(MANY_DEVICES):
        breaker.note_failure(f"device {device}")
    await asyncio.wait_for(breaker.wait_open(), 10)
    assert not await breaker.find_away(), "each failure may still be the device's own"
    await asyncio.wait_for(breaker.wait_closed(), 10)


async def test_one_success_says_that_the_failures_are_the_devices_own() -> None:
    probed = Probed()
    breaker = Breaker(probed)
    for device in range(MANY_DEVICES - 1):
        breaker.note_failure(f"device {device}")
        await breaker.find_away()
    breaker.note_success()
    breaker.note_failure("the last one")
    await breaker.find_away()
    assert not breaker.is_open


async def test_one_device_that_fails_over_and_over_is_one_device() -> None:
    breaker = Breaker(Probed())
    for _ in range(3 * MANY_DEVICES):
        breaker.note_failure("A")
        await breaker.find_away()
    assert not breaker.is_open


async def test_failures_at_the_same_time_share_one_probe() -> None:
    probed = Probed()
    probed.may_answer.clear()
    breaker = Breaker(probed)
    for _ in range(100):
        breaker.note_failure("A")
    await eventually(lambda: probed.probes)
    asking = [asyncio.create_task(breaker.find_away()) for _ in range(10)]
    probed.may_answer.set()
    assert await asyncio.gather(*asking) == [False] * 10
    assert probed.probes == 1


async def test_whoever_waits_has_patience_from_the_moment_when_it_opened() -> None:
    now = 100.0
    probed = Probed()
    probed.is_there = False
    breaker = Breaker(probed, clock=lambda: now)
    breaker.note_failure("A")
    await breaker.find_away()
    waiting = asyncio.create_task(breaker.wait_closed(3600))
    await asyncio.sleep(0)
    now += 3600
    with pytest.raises(AwayError, match="away: ConnectError"):
        await breaker.wait_closed(3600)
    assert not waiting.done()
    probed.is_there = True
    await waiting
    await breaker.stop()


async def test_probes_come_ever_more_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    probed = Probed()
    probed.is_there = False

    async def note(seconds: float) -> None:
        pauses.append(seconds)
        probed.is_there = len(pauses) == 6

    monkeypatch.setattr(asyncio, "sleep", note)
    breaker = Breaker(probed)
    breaker.note_failure("A")
    await breaker.wait_open()
    await breaker.wait_closed()
    assert pauses == [0.001, 0.002, 0.004, 0.008, 0.01, 0.01]


async def test_after_an_outage_requests_go_one_at_a_time_until_enough_have_succeeded() -> None:
    breaker = await reopened_and_closed()
    inside = most_inside = 0

    async def request() -> None:
        nonlocal inside, most_inside
        async with breaker.admission():
            inside += 1
            most_inside = max(most_inside, inside)
            await asyncio.sleep(0)
            inside -= 1
        breaker.note_success()

    await asyncio.gather(*(request() for _ in range(TRIAL_SUCCESSES)))
    assert most_inside == 1
    await asyncio.gather(*(request() for _ in range(10)))
    assert most_inside > 1


async def test_who_waits_to_be_admitted_when_it_opens_again_was_not_tried() -> None:
    breaker = await reopened_and_closed()
    async with breaker.admission():
        waiting = asyncio.create_task(admit(breaker))
        await asyncio.sleep(0)
        breaker.note_failure("A")
        await breaker.find_away()
    with pytest.raises(AwayError) as away:
        await waiting
    assert not away.value.tried
    await breaker.stop()


async def test_a_bug_in_the_probe_leaves_nobody_waiting() -> None:
    broken = True

    async def probe() -> None:
        if broken:
            raise ValueError("bug")

    breaker = Breaker(probe)
    breaker.note_failure("A")
    assert await breaker.find_away()
    broken = False
    await asyncio.wait_for(breaker.wait_closed(), 10)


async def admit(breaker: Breaker) -> None:
    async with breaker.admission():
        pass


async def reopened_and_closed() -> Breaker:
    """Give a breaker after an outage, whose downstream is away again."""
    probed = Probed()
    probed.is_there = False
    breaker = Breaker(probed)
    breaker.note_failure("A")
    await breaker.find_away()
    probed.is_there = True
    await breaker.wait_closed()
    probed.is_there = False
    return breaker
