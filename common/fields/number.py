"""Numbers as senders write them: JSON numbers, and strings that spell one."""

import math
import re

MOST_CHARACTERS = 400
"""A float has some 310 digits before its point at most, and Python refuses to make an integer of 4,300."""

_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def read_number(value: object) -> int | float | None:
    """Give a number, or the one that a string spells in decimal, spaces around it allowed; ``None`` for anything else.

    A boolean is no number, and what is too large for a float is none either, so that the result is always finite.
    """
    if isinstance(value, str):
        return _read_decimal(value.strip())
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if isinstance(value, int) or math.isfinite(value) else None


def _read_decimal(text: str) -> int | float | None:
    # float() alone would also take "nan", "1_000" and the digits of other scripts.
    if len(text) > MOST_CHARACTERS or not _DECIMAL.fullmatch(text):
        return None
    number = float(text)
    if not math.isfinite(number):
        return None
    return int(text) if text.lstrip("+-").isdecimal() else number
