"""Paths into an uplink: the keys from the outside in, members of an array by their number.

A key may also choose: ``[n=port]`` is the first member of an array whose ``n`` is ``port``, and ``bytes|data`` the
first of these keys that holds something.
"""

import re
from typing import Any, TypeAlias

Path: TypeAlias = tuple[str, ...]

_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")
_MEMBER = re.compile(r"\[([^=\[\]]+)=([^\[\]]*)\]")
_MEMBER_BEGINS = "["
_OR = "|"


class PathError(ValueError):
    """The text is no path. ``offset`` is where in it the fault begins, in characters from 0."""

    def __init__(self, offset: int, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}; {remedy}")
        self.offset = offset
        self.problem = problem
        self.remedy = remedy


def parse_path(text: str) -> Path:
    """Read the text of a path, keys with dots between them. Raises :class:`PathError`."""
    path = tuple(text.split("."))
    offset = 0
    for key in path:
        if not key:
            raise PathError(offset, f"a key is empty in the path {text!r}", "write one dot between two keys")
        if key.startswith(_MEMBER_BEGINS) and not _MEMBER.fullmatch(key):
            raise PathError(
                offset,
                f"{key!r} chooses no member of an array",
                "write [name=value], neither with a dot in it; members by number stand without brackets, as in 0.bn",
            )
        offset += len(key) + 1
    return path


def walk(item: Any, path: Path) -> tuple[Any, Path, int]:
    """Follow ``path`` into ``item``.

    Gives what stands where it ends or leads no further, the path with its choices made, and how many keys led there.
    """
    here = item
    for depth, key in enumerate(path):
        if isinstance(here, dict) and key in here:
            here = here[key]
        elif isinstance(here, list) and _INDEX.fullmatch(key) and int(key) < len(here):
            here = here[int(key)]
        elif (chosen := _choose(here, key)) is not None:
            here = here[int(chosen)] if isinstance(here, list) else here[chosen]
            path = (*path[:depth], chosen, *path[depth + 1 :])
        else:
            return here, path, depth
    return here, path, len(path)


def leads_into_array(path: Path) -> bool:
    """Whether a path begins with a member of an array, by number or by choice."""
    return bool(_INDEX.fullmatch(path[0]) or _MEMBER.fullmatch(path[0]))


def spell_keys(key: str) -> list[str]:
    """Give the keys that this key of a path may stand for."""
    return key.split(_OR)


def first_value(values: str | list[str]) -> str | list[str]:
    """Give the value of a query parameter; where it came more than once, the first counts."""
    return values[0] if isinstance(values, list) and values else values


def _choose(here: Any, key: str) -> str | None:
    """Give the key that ``key`` chooses here; None where it chooses nothing, or is a plain one that is not there."""
    if isinstance(here, dict) and _OR in key:
        return next((name for name in spell_keys(key) if here.get(name) is not None), None)
    if isinstance(here, list) and (wanted := _MEMBER.fullmatch(key)):
        name, value = wanted.groups()
        members = (str(index) for index, member in enumerate(here) if _says(member, name, value))
        return next(members, None)
    return None


def _says(member: Any, name: str, value: str) -> bool:
    return isinstance(member, dict) and member.get(name) == value
