from datetime import UTC, datetime

import pytest

from registry.period import parse_end

NOW = datetime(2026, 3, 31, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2014-12-25", datetime(2014, 12, 25, tzinfo=UTC)),
        ("2014-12-25 23:33:22", datetime(2014, 12, 25, 23, 33, 22, tzinfo=UTC)),
        ("2014-12-25T23:33:22.000Z", datetime(2014, 12, 25, 23, 33, 22, tzinfo=UTC)),
        ("1419550402", datetime(2014, 12, 25, 23, 33, 22, tzinfo=UTC)),
        ("5 minutes", datetime(2026, 3, 31, 12, 25, tzinfo=UTC)),
        ("1 hour", datetime(2026, 3, 31, 11, 30, tzinfo=UTC)),
        ("1 day", datetime(2026, 3, 30, 12, 30, tzinfo=UTC)),
        ("2 WEEKS", datetime(2026, 3, 17, 12, 30, tzinfo=UTC)),
        ("1 month", datetime(2026, 2, 28, 12, 30, tzinfo=UTC)),
        ("3 months", datetime(2025, 12, 31, 12, 30, tzinfo=UTC)),
        ("1year", datetime(2025, 3, 31, 12, 30, tzinfo=UTC)),
    ],
)
def test_an_end_of_a_period_is_a_time_or_how_long_ago(text: str, moment: datetime) -> None:
    assert parse_end(text, NOW) == moment


@pytest.mark.parametrize("text", ["", "yesterday", "1 fortnight", "day", "9999 years", "999999 days", "-1 day"])
def test_anything_else_is_none(text: str) -> None:
    assert parse_end(text, NOW) is None
