"""The ladder: how long an uplink waits before its next attempt, and when it has had enough of them. Pure."""

from dataclasses import dataclass
from datetime import timedelta

DEFAULT_STEPS = (
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(hours=1),
)
"""Short at first, so that nobody notices a restart downstream; then hourly, so that a day away costs few attempts."""

DEFAULT_ATTEMPTS = 28
"""About a day with the default steps: 13 minutes on the way up, then 24 hours."""


@dataclass(frozen=True, slots=True)
class Ladder:
    """The steps, ascending, and the budget of attempts.

    The budget is attempts and not age: an edge box that was cut off for two days must not lose its uplinks at the first
    failure afterwards.
    """

    steps: tuple[timedelta, ...] = DEFAULT_STEPS
    attempts: int = DEFAULT_ATTEMPTS

    def __post_init__(self) -> None:
        if (
            not self.steps
            or any(step <= timedelta(0) for step in self.steps)
            or list(self.steps) != sorted(set(self.steps))
        ):
            raise ValueError(
                f"retry steps must be positive and ascending, not {[s.total_seconds() for s in self.steps]}"
            )
        if self.attempts < 1:
            raise ValueError(f"the budget must be at least one attempt, not {self.attempts}")

    def is_exhausted(self, attempt: int) -> bool:
        """Whether ``attempt`` (from 1) was the last one."""
        return attempt >= self.attempts

    def delay_after(self, attempt: int) -> timedelta:
        """Give the wait after ``attempt`` (from 1) failed: one step up each time, then the last one again."""
        return self.steps[min(attempt, len(self.steps)) - 1]

    def step_for(self, wanted: timedelta) -> timedelta:
        """Round a wait up to the next step; one that is longer than the last step is cut to it."""
        return next((step for step in self.steps if step >= wanted), self.steps[-1])
