"""Time as the file holds it: whole milliseconds since 1970, by the wall clock, because it must outlive a restart."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

NEVER_SET = 1_577_836_800_000
"""2020 began: a clock from before has not been set since its machine was switched on."""


def read_clock() -> int:
    """Give the present time."""
    return time.time_ns() // 1_000_000


def to_clock(moment: datetime) -> int:
    """Give a moment in the same unit."""
    return int(moment.timestamp() * 1000)


def from_clock(moment: int) -> datetime:
    """Give the moment that the unit tells."""
    return datetime.fromtimestamp(moment / 1000, UTC)


def to_milliseconds(duration: timedelta) -> int:
    """Give a duration in the same unit."""
    return duration // timedelta(milliseconds=1)


class Horizon:
    """The moment before which what happened is forgotten, ``age`` ago by the clock.

    It moves on no faster than time passes: where a clock is set, or jumps ahead for a minute, nothing is lost for it.
    """

    def __init__(
        self,
        age: timedelta,
        *,
        clock: Callable[[], int] = read_clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._age = to_milliseconds(age)
        self._clock = clock
        self._monotonic = monotonic
        self._first = clock() - self._age
        self._since = monotonic()

    def read(self) -> int:
        """Give the moment, in the same unit."""
        passed = int((self._monotonic() - self._since) * 1000)
        return min(self._clock() - self._age, self._first + passed)
