"""Ids: 24 hexadecimal digits that sort by creation, as TagoIO's do."""

import re
import secrets
import time
from datetime import UTC, datetime
from typing import Annotated, TypeAlias

from pydantic import StringConstraints

_PATTERN = r"^[0-9a-f]{24}$"

Id: TypeAlias = Annotated[str, StringConstraints(pattern=_PATTERN)]
"""An id, as a document holds it."""

_SECOND = 1_000_000_000
_SECONDS_DIGITS = 8


def create_id() -> str:
    """Give a new id."""
    return create_ids(1)[0]


def create_ids(count: int) -> list[str]:
    """Give new ids in ascending order, for things of one moment whose order matters.

    Seconds since 1970, nanoseconds, and a random rest of 32 bits that keeps processes apart; 8 digits each. The seconds
    stand where TagoIO's own ids have them, so that imported ids sort among these.
    """
    seconds, nanoseconds = divmod(time.time_ns(), _SECOND)
    rest = secrets.token_hex(4)
    return [f"{seconds:08x}{nanoseconds + index:08x}{rest}" for index in range(count)]


def is_id(text: str) -> bool:
    """Whether this could be an id."""
    return re.fullmatch(_PATTERN, text) is not None


def creation_time(created_id: str) -> datetime:
    """When the thing with this id was created, to the second: its id says it, so that no column has to."""
    return datetime.fromtimestamp(int(created_id[:_SECONDS_DIGITS], 16), UTC)
