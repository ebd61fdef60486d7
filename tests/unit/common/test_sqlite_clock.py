"""Time as the file holds it, and how far it goes back."""

from datetime import timedelta

from common.queue.sqlite.clock import Horizon

DAY = 86_400_000
NOON = 1_795_000_000_000


class Clocks:
    """A wall clock, in milliseconds, that may be set, and one that goes on, in seconds."""

    def __init__(self) -> None:
        self.wall = NOON
        self.monotonic = 5.0

    def pass_days(self, days: float) -> None:
        self.wall += int(days * DAY)
        self.monotonic += days * 86_400


def build_horizon(clocks: Clocks) -> Horizon:
    return Horizon(timedelta(days=90), clock=lambda: clocks.wall, monotonic=lambda: clocks.monotonic)


def test_the_horizon_is_an_age_ago_and_moves_on_with_time() -> None:
    clocks = Clocks()
    horizon = build_horizon(clocks)
    assert horizon.read() == NOON - 90 * DAY
    clocks.pass_days(2)
    assert horizon.read() == NOON - 88 * DAY


def test_a_clock_that_jumps_ahead_takes_nothing_with_it() -> None:
    clocks = Clocks()
    horizon = build_horizon(clocks)
    clocks.wall += 100 * DAY
    assert horizon.read() == NOON - 90 * DAY
    clocks.pass_days(1)
    assert horizon.read() == NOON - 89 * DAY


def test_a_clock_that_is_set_back_takes_the_horizon_with_it() -> None:
    clocks = Clocks()
    horizon = build_horizon(clocks)
    clocks.wall -= 10 * DAY
    assert horizon.read() == NOON - 100 * DAY
