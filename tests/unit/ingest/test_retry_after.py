"""The wait that a refused sender is told."""

import pytest

from ingest.retry_after import LONGEST_SECONDS, ConfirmPace, retry_after_absence


def test_before_anything_is_known_the_wait_is_the_shortest() -> None:
    assert ConfirmPace(in_flight=2).retry_after(1_000) == 1


@pytest.mark.parametrize(
    ("waiting", "expected"),
    [(0, 1), (1, 1), (200, 1), (201, 2), (1_000, 5), (1_000_000, LONGEST_SECONDS)],
)
def test_the_wait_is_what_the_requests_that_wait_will_take(waiting: int, expected: int) -> None:
    pace = ConfirmPace(in_flight=2)
    pace.note(requests=50, seconds=0.5)  # 200 requests a second
    assert pace.retry_after(waiting) == expected


def test_a_queue_that_slows_down_lengthens_the_wait_and_a_recovery_shortens_it_again() -> None:
    pace = ConfirmPace(in_flight=1)
    waits = []
    for seconds in [0.01] * 20 + [1.0] * 20 + [0.01] * 40:
        pace.note(requests=10, seconds=seconds)
        waits.append(pace.retry_after(200))
    assert (waits[19], waits[79]) == (1, 1)
    assert 15 <= waits[39] <= 20
    assert waits[20:40] == sorted(waits[20:40])


@pytest.mark.parametrize(("away", "expected"), [(0, 2), (1.2, 2), (5.5, 6), (59, 59), (3_600, LONGEST_SECONDS)])
def test_the_longer_the_queue_has_been_away_the_longer_is_the_wait_up_to_a_bound(away: float, expected: int) -> None:
    assert retry_after_absence(away) == expected
