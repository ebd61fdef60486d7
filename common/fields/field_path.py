"""Paths into an uplink: the keys from the outside in, members of an array by their number."""

import re
from typing import Any, TypeAlias

Path: TypeAlias = tuple[str, ...]

_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")


def walk(item: Any, path: Path) -> tuple[Any, int]:
    """Follow ``path`` into ``item``: what stands where it ends or leads no further, and how many keys led there."""
    here = item
    for depth, key in enumerate(path):
        if isinstance(here, dict) and key in here:
            here = here[key]
        elif isinstance(here, list) and _INDEX.fullmatch(key) and int(key) < len(here):
            here = here[int(key)]
        else:
            return here, depth
    return here, len(path)


def first_value(values: str | list[str]) -> str | list[str]:
    """Give the value of a query parameter; where it came more than once, the first counts."""
    return values[0] if isinstance(values, list) and values else values
