"""The ends of a period as people write them: a time, or how long ago."""

import re
from calendar import monthrange
from datetime import UTC, datetime, timedelta

from common.fields.reading_time import read_time

_AGO = re.compile(r"\s*([0-9]{1,6})\s*(minute|hour|day|week|month|year)s?\s*", re.IGNORECASE)

_ANY_TIME = datetime.max.replace(tzinfo=UTC)


def parse_end(text: str, now: datetime) -> datetime | None:
    """Give the moment: ISO 8601 or Unix time, or as ``1 day`` that long before ``now``; None for anything else."""
    ago = _AGO.fullmatch(text)
    if ago is None:
        return read_time(text, _ANY_TIME)
    amount, unit = int(ago[1]), ago[2].lower()
    try:
        match unit:
            case "month":
                return _months_before(now, amount)
            case "year":
                return _months_before(now, 12 * amount)
            case _:
                return now - timedelta(**{f"{unit}s": amount})
    except (ValueError, OverflowError):  # before the year 1
        return None


def _months_before(now: datetime, months: int) -> datetime:
    """Give the same day that many months before, or the last day of a month that is shorter."""
    year, month = divmod(now.year * 12 + now.month - 1 - months, 12)
    return now.replace(year=year, month=month + 1, day=min(now.day, monthrange(year, month + 1)[1]))
