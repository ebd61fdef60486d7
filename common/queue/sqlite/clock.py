"""Time as the file holds it: whole milliseconds since 1970, by the wall clock, because it must outlive a restart."""

import time
from datetime import UTC, datetime, timedelta


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
