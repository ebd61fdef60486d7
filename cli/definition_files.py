"""The files of a folder with definitions. They are somebody else's: nothing outside of the folder is read for them."""

from pathlib import Path
from typing import Any

import json5
import orjson

from common.registry_requests import Document

JSON_BYTES = 1_000_000
"""Largest file with JSON: many times the largest that is known."""


class DefinitionError(Exception):
    """It cannot be taken. The message says what is wrong, and where."""


class DefinitionFiles:
    """Reads files below one folder. Every method raises :class:`DefinitionError`, which names the file."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def find(self, name: str) -> list[Path]:
        """Give the files of this name, at any depth, in one order."""
        return sorted(self.root.rglob(name))

    def describe(self, path: Path) -> str:
        """Give a path as people see it: from the folder on."""
        return path.resolve().relative_to(self.root).as_posix()

    def read_object(self, path: Path) -> Document:
        """Read a JSON object, which may have comments and trailing commas."""
        text = self.read_text(path, JSON_BYTES)
        try:
            document = _parse(text)
        except ValueError as error:
            raise DefinitionError(f"{self.describe(path)} is no JSON: {error}") from None
        except RecursionError:
            raise DefinitionError(f"{self.describe(path)} is nested too deeply") from None
        if not isinstance(document, dict):
            raise DefinitionError(f"{self.describe(path)} must be a JSON object")
        return document

    def read_text(self, path: Path, most: int) -> str:
        """Read a file of UTF-8."""
        try:
            return self.read_bytes(path, most).decode("utf-8-sig")
        except UnicodeDecodeError:
            raise DefinitionError(f"{self.describe(path)} is not UTF-8") from None

    def read_bytes(self, path: Path, most: int) -> bytes:
        """Read a file of at most so many bytes."""
        try:
            place = path.resolve()
            if not place.is_relative_to(self.root):
                raise DefinitionError(f"{path.name} lies outside of the folder, and is not read")
            if not place.is_file():
                raise DefinitionError(f"there is no file {self.describe(place)}")
            size = place.stat().st_size
            if size > most:
                raise DefinitionError(f"{self.describe(place)} has {size:,} bytes; at most {most:,} are taken")
            return place.read_bytes()
        except (OSError, RuntimeError, ValueError) as error:  # no permission; a loop of links; a NUL in its name
            raise DefinitionError(f"{path.name} cannot be read: {error}") from None


def _parse(text: str) -> Any:
    """Decode JSON. What has no comments, as most have none, is decoded forty times faster."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json5.loads(text)
