"""Where a value stands in an uplink, and the name of the variable that it becomes."""

import re
from dataclasses import dataclass, field
from functools import lru_cache
from zlib import crc32

NAME_CHARACTERS = 100
"""Longest name of a variable that TagoIO takes."""

PATH_CHARACTERS = 1_000
"""Longest path that a record or a message shows: well inside TagoIO's 10 kB of metadata."""

NAMES = 4_096
"""Keys whose cleaned form is remembered: the uplinks of a fleet have the same ones again and again."""

_FORBIDDEN = re.compile(r"[*?!<>.\-=$\s]")


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A container on the way to a value, with what the names of the variables in it begin with.

    It is made once for all values in it and grows no longer than a name, so that neither deep nesting nor long keys
    multiply with the number of values.
    """

    parent: "Place | None" = field(default=None, repr=False)
    key: str = ""
    prefix: str = ""
    checksum: int = 0

    def within(self, key: str) -> "Place":
        """Give the place of the container that stands under ``key``."""
        return Place(self, key, _shorten(f"{self.prefix}{_clean(key)}_"), _add_to(self.checksum, key))

    def variable(self, key: str) -> str:
        """Name the variable for the value under ``key``: the keys that lead there, joined and made to fit.

        A name that is too long ends in a checksum of its full path, so that two which begin alike stay apart.
        """
        if len(key) <= NAME_CHARACTERS:
            return _recall_name(self.prefix, self.checksum, key)
        return _name(self.prefix, self.checksum, key)

    def path(self, key: str) -> str:
        """Give the dotted path of the value under ``key`` as it came; of a very long one both ends."""
        keys = [key]
        place = self
        while place.parent is not None:
            keys.append(place.key)
            place = place.parent
        dotted = ".".join(reversed(keys))
        half = PATH_CHARACTERS // 2
        return dotted if len(dotted) <= PATH_CHARACTERS else f"{dotted[:half]}…{dotted[-half:]}"


def _name(prefix: str, checksum: int, key: str) -> str:
    name = f"{prefix}{_clean(key)}" or "_"
    if len(name) <= NAME_CHARACTERS:
        return name
    ending = f"_{_add_to(checksum, key):08x}"
    return name[: NAME_CHARACTERS - len(ending)] + ending


_recall_name = lru_cache(maxsize=NAMES)(_name)


def _add_to(checksum: int, key: str) -> int:
    return crc32(b"\0" + key.encode(), checksum)


def _clean(key: str) -> str:
    """Give a key as TagoIO takes it in a name; what no name can show is cut off first."""
    return _replace_forbidden(_shorten(key))


@lru_cache(maxsize=NAMES)
def _replace_forbidden(key: str) -> str:
    return _FORBIDDEN.sub("_", key.lower())


def _shorten(text: str) -> str:
    """Cut a text, but leave it longer than a name may be: that it was cut has to show."""
    return text[: NAME_CHARACTERS + 1]
