"""Query strings as TagoIO's clients write them."""

import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias
from urllib.parse import parse_qsl

from registry.refusal import invalid

Parameters: TypeAlias = Mapping[str, Sequence[str]]
"""The values of each parameter, never none."""

_INDEX = re.compile(r"\[\d*\]$")

_DIGITS = re.compile(r"[0-9]{1,9}")


def parse_parameters(query_string: bytes) -> dict[str, list[str]]:
    """Read a query string. A list comes as ``name=a&name=b``, ``name[]=a&name[]=b`` or ``name[0]=a&name[1]=b``.

    Raises :class:`registry.refusal.RefusedError` (400) for what no database can be asked for.
    """
    if b"%00" in query_string:
        raise invalid("The query string holds a NUL character, which nothing that is stored does")
    parameters: dict[str, list[str]] = {}
    for name, value in parse_qsl(query_string.decode("latin-1"), keep_blank_values=True):
        parameters.setdefault(_INDEX.sub("", name), []).append(value)
    return parameters


def read_whole_number(parameters: Parameters, name: str, *, default: int, least: int, most: int) -> int:
    """Read one number. Raises :class:`registry.refusal.RefusedError` when it is none, or out of bounds."""
    values = parameters.get(name)
    if values is None:
        return default
    number = int(values[0]) if _DIGITS.fullmatch(values[0]) else -1
    if not least <= number <= most:
        raise invalid(f"{name} must be a whole number from {least:,} to {most:,}")
    return number


def read_boolean(parameters: Parameters, name: str) -> bool | None:
    """Read ``true`` or ``false``; None where it is missing. Raises :class:`registry.refusal.RefusedError` (400)."""
    match parameters.get(name):
        case None:
            return None
        case ["true", *_]:
            return True
        case ["false", *_]:
            return False
        case _:
            raise invalid(f"{name} must be true or false")
