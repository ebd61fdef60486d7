"""What is wrong with a directory, collected and said in one go."""

import re
from collections.abc import Sequence

KeyPath = tuple[str, ...]
"""Where in the document, key by key: ``("networks", "lorawan", "serial", "format")``."""

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


class DirectoryError(Exception):
    """The directory cannot be used. The message says where, what is wrong and what to do, and never holds a token.

    ``problems`` are the single ones with their places, where it could be read at all.
    """

    def __init__(self, message: str, problems: Sequence[tuple[KeyPath, str]] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class Problems:
    """The problems of one document: one at each place, the first that was noted.

    What is said later of the same place only follows from it: a value whose environment variable is not set is no URL.
    """

    def __init__(self) -> None:
        self._by_path: dict[KeyPath, str] = {}

    def add(self, path: KeyPath, message: str) -> None:
        """Note what is wrong at a place and what to do about it."""
        self._by_path.setdefault(path, message)

    def __bool__(self) -> bool:
        return bool(self._by_path)

    def to_error(self, file: str) -> DirectoryError:
        """Say them all: in one line where there is one, else each on a line of its own."""
        problems = sorted(self._by_path.items())
        lines = [f"{format_key_path(path)}: {message}" for path, message in problems]
        if len(lines) == 1:
            return DirectoryError(f"{file}: {lines[0]}", problems)
        return DirectoryError("\n  ".join([f"{file}: {len(lines)} problems", *lines]), problems)


def format_key_path(path: KeyPath) -> str:
    """Write a place as a person finds it in the file: ``[networks.lorawan] serial.format``."""
    depth = 1 if path[0] == "downstream" else 2
    table, field = _join(path[:depth]), _join(path[depth:])
    return f"[{table}] {field}" if field else f"[{table}]"


def _join(keys: KeyPath) -> str:
    return ".".join(key if _BARE_KEY.fullmatch(key) else f'"{key}"' for key in keys)
