import pytest

from ingest.rate import RateLimit
from ingest.refusal import RefusedError
from tests.support.directories import build_key

KEY = build_key(requests_per_minute=60)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def take(rate: RateLimit, times: int) -> int | None:
    """Give the seconds to wait once a request was refused."""
    for _ in range(times):
        try:
            rate.take(KEY)
        except RefusedError as refused:
            return int(refused.headers["Retry-After"])
    return None


def test_a_minutes_worth_may_come_at_once_and_then_one_at_a_time(clock: Clock) -> None:
    rate = RateLimit(clock)
    assert take(rate, 60) is None
    assert take(rate, 1) == 1
    clock.now += 1
    assert take(rate, 1) is None
    assert take(rate, 1) == 1


def test_an_idle_hour_saves_up_no_more_than_a_minutes_worth(clock: Clock) -> None:
    rate = RateLimit(clock)
    take(rate, 1)
    clock.now += 3600
    assert take(rate, 60) is None
    assert take(rate, 1) is not None


def test_the_wait_is_the_truth(clock: Clock) -> None:
    rate = RateLimit(clock)
    slow = build_key("slow", requests_per_minute=2)
    rate.take(slow)
    rate.take(slow)
    with pytest.raises(RefusedError) as refused:
        rate.take(slow)
    clock.now += int(refused.value.headers["Retry-After"])
    rate.take(slow)


def test_keys_are_counted_apart_and_a_key_without_a_limit_not_at_all(clock: Clock) -> None:
    rate = RateLimit(clock)
    assert take(rate, 61) is not None
    rate.take(build_key("other", requests_per_minute=1))
    for _ in range(1_000):
        rate.take(build_key("free"))
