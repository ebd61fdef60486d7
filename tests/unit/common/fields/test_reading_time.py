"""The time of a reading in its many spellings."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from common.fields.reading_time import format_time, read_time

ARRIVED_AT = datetime(2026, 11, 21, 1, 23, 45, 678901, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2026-03-04T10:22:33Z", datetime(2026, 3, 4, 10, 22, 33, tzinfo=UTC)),
        ("2026-03-04t10:22:33z", datetime(2026, 3, 4, 10, 22, 33, tzinfo=UTC)),
        ("2026-03-04T11:22:33.5+01:00", datetime(2026, 3, 4, 10, 22, 33, 500_000, tzinfo=UTC)),
        ("2026-03-04T10:22:33.512483370Z", datetime(2026, 3, 4, 10, 22, 33, 512_483, tzinfo=UTC)),
        ("2026-03-04 10:22:33.500Z", datetime(2026, 3, 4, 10, 22, 33, 500_000, tzinfo=UTC)),
        ("2026-03-04T10:22:33", datetime(2026, 3, 4, 10, 22, 33, tzinfo=UTC)),
        ("20260304T102233Z", datetime(2026, 3, 4, 10, 22, 33, tzinfo=UTC)),
        ("2026-03-04", datetime(2026, 3, 4, tzinfo=UTC)),
        (" 2026-03-04T10:22:33Z ", datetime(2026, 3, 4, 10, 22, 33, tzinfo=UTC)),
        (1772619753, datetime(2026, 3, 4, 10, 22, 33, tzinfo=UTC)),
        (1772619753.5, datetime(2026, 3, 4, 10, 22, 33, 500_000, tzinfo=UTC)),
        (1772619753500, datetime(2026, 3, 4, 10, 22, 33, 500_000, tzinfo=UTC)),
        ("1772619753", datetime(2026, 3, 4, 10, 22, 33, tzinfo=UTC)),
        ("1772619753.5", datetime(2026, 3, 4, 10, 22, 33, 500_000, tzinfo=UTC)),
        ("1772619753500", datetime(2026, 3, 4, 10, 22, 33, 500_000, tzinfo=UTC)),
        (100_000_000_000, datetime(1973, 3, 3, 9, 46, 40, tzinfo=UTC)),
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (-1, datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (ARRIVED_AT.timestamp() + 86_400, ARRIVED_AT + timedelta(days=1)),
    ],
)
def test_iso_8601_and_unix_time_are_read_as_utc(value: object, moment: datetime) -> None:
    read = read_time(value, ARRIVED_AT)
    assert read == moment
    assert read.tzinfo is UTC


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        False,
        "",
        "yesterday",
        "2026-0304T10:22:33Z",
        "2026-02-30T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        {},
        [1772619753],
        99_999_999_999,
        10**18,
        -(10**18),
        2**64 - 1,
        1e300,
        "9" * 300,
        "2026-11-22T01:23:45.678902Z",
        (ARRIVED_AT + timedelta(days=2)).timestamp(),
        "9999-12-31T23:59:59Z",
    ],
)
def test_anything_else_and_what_lies_more_than_a_day_ahead_is_no_time(value: object) -> None:
    assert read_time(value, ARRIVED_AT) is None


def test_a_time_exactly_a_day_ahead_is_still_believed() -> None:
    assert read_time("2026-11-22T01:23:45.678901Z", ARRIVED_AT) == ARRIVED_AT + timedelta(days=1)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (ARRIVED_AT, "2026-11-21T01:23:45.678901Z"),
        (datetime(2026, 3, 4, tzinfo=UTC), "2026-03-04T00:00:00.000000Z"),
        (datetime(2026, 3, 4, tzinfo=timezone(timedelta(hours=2))), "2026-03-03T22:00:00.000000Z"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00.000000Z"),
    ],
)
def test_times_are_written_in_utc_with_microseconds(moment: datetime, text: str) -> None:
    assert format_time(moment) == text
