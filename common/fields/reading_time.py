"""The time of a reading: what the uplink says of it, in the spellings that devices and network servers use."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from common.fields.number import read_number

SECONDS_BELOW = 100_000_000_000
"""Unix times below are in seconds (until the year 5138), others in milliseconds (from March 1973 on)."""

MOST_AHEAD = timedelta(days=1)
"""A clock may be in the wrong time zone; a time further ahead is a fault, and would hide every later reading."""

TIMES = 1_000
"""Of which the spelling is remembered: uplinks without a time of their own have that of their request."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_time(value: object, arrived_at: datetime) -> datetime | None:
    """Give the time in UTC that ``value`` holds; ``None`` for no time, or one more than a day after ``arrived_at``.

    Taken are ISO 8601 (without an offset: UTC) and Unix time, as a number or as a string of digits.
    """
    number = read_number(value)
    try:
        if number is not None:
            moment = _from_unix(number)
        elif isinstance(value, str):
            moment = _from_iso(value)
        else:
            return None
    except (ValueError, OverflowError):
        return None
    return moment if moment - arrived_at <= MOST_AHEAD else None


@lru_cache(maxsize=TIMES)
def format_time(moment: datetime) -> str:
    """Write a time as RFC 3339 in UTC with microseconds."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _from_unix(number: float) -> datetime:
    if number < SECONDS_BELOW:
        return _EPOCH + timedelta(seconds=number)
    return _EPOCH + timedelta(milliseconds=number)


def _from_iso(text: str) -> datetime:
    moment = datetime.fromisoformat(text.strip().upper())  # "t" and "z" are RFC 3339 as well
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
