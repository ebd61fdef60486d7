"""What the flags of a filter are read from."""

from datetime import timedelta

import pytest

from cli.dead_filter import parse_age


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("45s", 45), ("10m", 600), ("2h", 7_200), ("3d", 259_200), ("0s", 0), ("999999d", 86_399_913_600)],
)
def test_an_age_is_a_number_and_a_unit(text: str, seconds: int) -> None:
    assert parse_age(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "10", "m", "-1h", "1.5h", "1w", "1h30m", "٣h", "9999999d"])
def test_what_is_no_age_is_refused_with_what_would_be(text: str) -> None:
    with pytest.raises(ValueError, match="10m, 2h or 3d"):
        parse_age(text)
