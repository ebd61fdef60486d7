"""The path that was probably meant: what an uplink has in place of a path that leads nowhere. Names only, no values."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from heapq import nlargest
from itertools import islice, takewhile
from typing import Any

from common.envelope import Item, Query
from common.fields.field_path import Path

MOST_PATHS = 200
"""How many fields are looked at: a refused request must not cost more than an accepted one."""

MOST_CONTAINERS = 100

MOST_COMPARED = 10
"""Comparing two paths letter by letter takes a fifth of a millisecond; these are the likeliest by their ends."""

KEY_CHARACTERS = 40
"""A longer key is not what somebody mistyped."""

TYPING_ERROR = 0.75
"""How alike two paths are, of 1, when one is a slip of the other."""

WRONG_NESTING = 0.3
"""The same for two that end in the same key."""

_IN_THE_WAY = frozenset(".;|[")
"""No path can lead to a key with one of these."""


def find_closest_path(path: Path, item: Item, query: Query) -> str | None:
    """Give the path of a field that is there and whose name is like ``path``, or that stands elsewhere; else None."""
    there: list[Path] = [*_value_paths(item), *((key,) for key in query if _is_plain(key))]
    ending = path[-1].lower()
    alike = [each for each in there if each[-1].lower() == ending]
    cutoff = WRONG_NESTING if alike else TYPING_ERROR
    spelled = {dotted.lower(): dotted for dotted in map(".".join, reversed(alike or there))}
    wanted = ".".join(path).lower()
    likely = nlargest(MOST_COMPARED, spelled, key=lambda dotted: _count_shared(wanted, dotted))
    close = get_close_matches(wanted, likely, n=1, cutoff=cutoff)
    return spelled[close[0]] if close else None


def find_common_below(ranks: Mapping[str, int], item: Item) -> str | None:
    """Give the path of the first field below the top level that has one of these names, in lower case with a rank."""
    below = [
        (ranks[path[-1].lower()], len(path), path)
        for path in _value_paths(item)
        if len(path) > 1 and path[-1].lower() in ranks
    ]
    return ".".join(min(below)[-1]) if below else None


def _count_shared(one: str, other: str) -> int:
    """Count the characters with which both begin, and those with which both end: a slip leaves most of them alone."""
    return _count_equal(one, other) + _count_equal(reversed(one), reversed(other))


def _count_equal(one: Iterable[str], other: Iterable[str]) -> int:
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _value_paths(item: Item) -> list[Path]:
    return list(islice(_walk_values(item), MOST_PATHS))


def _walk_values(item: Item) -> Iterator[Path]:
    """Give the paths of strings and numbers, those near the top first."""
    containers: deque[tuple[Path, Any]] = deque([((), item)])
    for _ in range(MOST_CONTAINERS):
        if not containers:
            return
        path, container = containers.popleft()
        for key, value in islice(_fields(container), MOST_PATHS):
            if isinstance(value, (dict, list)):
                containers.append(((*path, key), value))
            elif isinstance(value, (str, int, float)) and not isinstance(value, bool):
                yield (*path, key)


def _fields(container: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(container, dict):
        yield from ((key, value) for key, value in container.items() if _is_plain(key))
    elif isinstance(container, list):
        yield from ((str(index), member) for index, member in enumerate(container))


def _is_plain(key: str) -> bool:
    return len(key) <= KEY_CHARACTERS and _IN_THE_WAY.isdisjoint(key)
