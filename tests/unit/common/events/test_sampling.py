"""Which uplinks a viewer is told of when there are more than it can use."""

from dataclasses import replace

import pytest

from common.events.event import Event, Stage
from common.events.sampling import (
    CALM_WINDOWS,
    HEARD_SECONDS,
    MOST_ONE_IN,
    SAMPLE,
    SLACK,
    Sampler,
    Samples,
    choose,
    is_chosen,
    is_sampled,
)
from tests.support.waiting import eventually
from tests.unit.common.events.test_event import EVENT

IDS = [f"{group:024x}/{index}" for group in range(400) for index in range(20)]
MOST = 40


@pytest.fixture
async def sampler() -> Sampler:
    sampler = Sampler()
    sampler.most = MOST
    return sampler


def tell(sampler: Sampler, uplinks: int, *stages: Stage) -> None:
    for _ in range(uplinks):
        for stage in stages or (Stage.ACCEPTED,):
            sampler.note(replace(EVENT, stage=stage))


@pytest.mark.parametrize("one_in", [1, 2, 4, 8, 64])
def test_one_in_so_many_is_chosen(one_in: int) -> None:
    chosen = sum(is_chosen(uplink_id, one_in) for uplink_id in IDS)
    assert chosen == pytest.approx(len(IDS) / one_in, rel=0.2)


def test_what_a_strict_process_chooses_every_other_chooses_too() -> None:
    for one_in in (2, 4, 8, 16):
        strict = {uplink_id for uplink_id in IDS if is_chosen(uplink_id, 2 * one_in)}
        assert strict < {uplink_id for uplink_id in IDS if is_chosen(uplink_id, one_in)}


@pytest.mark.parametrize("one_in", [1, 2, 4, 8, 64])
def test_the_uplinks_of_a_request_are_chosen_evenly_and_as_each_by_its_id(one_in: int) -> None:
    for group in (f"{number:024x}" for number in range(100)):
        chosen = choose(group, 128, one_in)
        assert len(chosen) == 128 // one_in
        assert set(chosen) == {index for index in range(128) if is_chosen(f"{group}/{index}", one_in)}


@pytest.mark.parametrize("uplink_id", ["", "/", "a", "a/", "a/b", "a/1/2", "/1", f"a/{'9' * 5_000}"])
def test_whether_an_id_of_somebody_else_is_chosen_can_be_said(uplink_id: str) -> None:
    assert is_chosen(uplink_id, 1)
    for one_in in (2, 4, 8, 16):
        assert is_chosen(uplink_id, one_in) or not is_chosen(uplink_id, 2 * one_in)


@pytest.mark.parametrize(
    "event",
    [
        Event(EVENT.time, Stage.REFUSED, None, key="factory"),
        Event(EVENT.time, Stage.DEAD, "frame-of-nobody"),
        Event(EVENT.time, Stage.SAID, None),
    ],
)
def test_what_is_about_no_uplink_that_is_known_is_always_told(event: Event) -> None:
    assert is_sampled(event, MOST_ONE_IN)


async def test_a_viewer_is_told_of_everything_until_that_is_more_than_it_can_use(sampler: Sampler) -> None:
    tell(sampler, int(MOST * SLACK))
    assert sampler.one_in == 1
    tell(sampler, 1)
    assert sampler.one_in == 4, "it was far too much, for it came at once"


async def test_an_uplink_counts_once_however_many_stages_it_goes_through(sampler: Sampler) -> None:
    tell(sampler, MOST, Stage.MAPPED, Stage.RESOLVED, Stage.POSTED)
    assert sampler.one_in == 1


async def test_what_is_about_no_uplink_does_not_count(sampler: Sampler) -> None:
    for _ in range(10 * MOST):
        sampler.note(Event(EVENT.time, Stage.REFUSED, None))
    assert sampler.one_in == 1


async def test_a_viewer_that_can_use_everything_is_told_of_everything() -> None:
    sampler = Sampler()
    tell(sampler, 100_000)
    assert sampler.one_in == 1


async def test_after_each_calm_while_more_are_told_again(sampler: Sampler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("common.events.sampling.WINDOW_SECONDS", 0.01)
    changes: list[int] = []
    sampler = Sampler(lambda: changes.append(sampler.one_in))
    sampler.most = MOST
    tell(sampler, int(MOST * SLACK) + 1 + 2 * (int(MOST * SAMPLE) + 1))
    assert changes == [4, 8, 16]
    tell(sampler, 10)  # of some 160 in four seconds, and then nothing more
    await eventually(lambda: sampler.one_in == 1)
    assert changes == [4, 8, 16, 8, 1]


@pytest.mark.parametrize(("told", "one_in"), [(7, 1), (8, 4), (10, 4), (11, 8)])
async def test_a_rate_that_is_neither_small_nor_too_much_changes_nothing(
    sampler: Sampler, told: int, one_in: int
) -> None:
    tell(sampler, int(MOST * SLACK) + 1)
    for _ in range(CALM_WINDOWS):
        if sampler.one_in == 4:
            tell(sampler, told)
            sampler._end_window()
    sampler.close()
    assert sampler.one_in == one_in


async def test_one_second_in_which_few_are_told_by_chance_changes_nothing(sampler: Sampler) -> None:
    tell(sampler, int(MOST * SLACK) + 1)
    for told in (10, 5, 10, 10):
        tell(sampler, told)
        sampler._end_window()
    sampler.close()
    assert sampler.one_in == 4


def test_a_viewer_goes_by_the_strictest_process_and_forgets_one_that_is_gone() -> None:
    now = 0.0
    samples = Samples(lambda: now)
    assert samples.note("ingest", 4)
    assert not samples.note("worker", 2)
    assert samples.one_in == 4
    now = HEARD_SECONDS
    assert samples.note("worker", 2)
    assert samples.one_in == 2
