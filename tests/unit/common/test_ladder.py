from datetime import timedelta

import pytest

from common.ladder import Ladder


@pytest.mark.parametrize(
    "steps", [(), (timedelta(0),), (timedelta(seconds=5), timedelta(seconds=5)), (timedelta(9), timedelta(5))]
)
def test_steps_must_be_positive_and_ascending(steps: tuple[timedelta, ...]) -> None:
    with pytest.raises(ValueError, match="ascending"):
        Ladder(steps)


def test_the_budget_must_be_at_least_one_attempt() -> None:
    with pytest.raises(ValueError, match="at least one attempt"):
        Ladder(attempts=0)


def test_the_default_budget_lasts_about_a_day() -> None:
    ladder = Ladder()
    total = sum((ladder.delay_after(attempt) for attempt in range(1, ladder.attempts)), timedelta())
    assert timedelta(hours=23) < total < timedelta(hours=25)


def test_the_last_step_is_repeated() -> None:
    ladder = Ladder()
    assert ladder.delay_after(5) == ladder.delay_after(27) == timedelta(hours=1)


def test_the_last_attempt_exhausts_the_budget() -> None:
    ladder = Ladder(attempts=3)
    assert [ladder.is_exhausted(attempt) for attempt in (1, 2, 3, 4)] == [False, False, True, True]
