"""The field map of an authorization key: where its uplinks hold their serial, payload, port and time.

As text it is what TagoIO calls additional parameters: ``serial=devaddr;payload=payload_raw;port=fport``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Generic, Literal, NamedTuple, TypeVar

from common.envelope import Item, Query
from common.fields.encoding import base64_to_hex
from common.fields.field_path import Path, first_value, walk
from common.fields.missing_field import explain_common_names, explain_path
from common.fields.presets import PRESETS, closest_presets
from common.fields.reading_time import read_time
from common.fields.wanted_field import (
    PAYLOAD,
    PORT,
    SERIAL,
    TIME,
    WantedField,
    read_payload,
    read_port,
    read_serial,
)

T = TypeVar("T")

NAMES = ("serial", "payload", "port", "time", "encoding", "serial_encoding", "array", "preset")
"""The names that the text of a field map may give."""

EUI_DIGITS = 16
"""Hexadecimal digits of a device's EUI, which has eight bytes."""


class FieldMapError(ValueError):
    """The text is no field map. ``position`` is where in the text the fault begins, in characters from 1."""

    def __init__(self, position: int, problem: str, remedy: str) -> None:
        super().__init__(f"at character {position}: {problem}; {remedy}")
        self.position = position


@dataclass(frozen=True, slots=True)
class FieldMap:
    """Where to look. A path that is ``None`` was not given: common names are tried in its place."""

    serial: Path | None = None
    payload: Path | None = None
    port: Path | None = None
    time: Path | None = None
    encoding: Literal["hex", "base64"] = "hex"
    """Of the payload; ``hex`` passes it on as it came."""
    serial_encoding: Literal["base64"] | None = None
    """``base64``: a serial that is eight bytes in base64 is an EUI and becomes 16 lower-case hexadecimal digits."""
    array_is_one: bool = False
    """Whether a top-level array is one uplink and not a batch."""
    preset: str | None = None
    """The network server whose map filled what the text does not give; for people, the paths are in place already."""


def parse_field_map(text: str) -> FieldMap:
    """Read the text of a field map, which may be empty. Raises :class:`FieldMapError`."""
    given = _parse_entries(text)
    preset = given.get("preset")
    entries = given if preset is None else {**_parse_entries(_find_preset(preset)), **given}
    settings: dict[str, Any] = {}
    for entry in entries.values():
        settings |= _parse_value(entry)
    return FieldMap(**settings)


class _Entry(NamedTuple):
    """One ``name=value`` of the text, and where its value begins."""

    name: str
    value: str
    position: int


def _parse_entries(text: str) -> dict[str, _Entry]:
    entries: dict[str, _Entry] = {}
    parts = text.split(";")
    if not parts[-1].strip():
        parts.pop()  # a trailing semicolon, or no text at all
    start = 1
    for part in parts:
        entry, position = _parse_entry(part, start)
        if entry.name in entries:
            raise FieldMapError(position, f"{entry.name!r} is given a second time", "give each name once")
        entries[entry.name] = entry
        start += len(part) + 1
    return entries


def _parse_entry(part: str, start: int) -> tuple[_Entry, int]:
    """Give the entry and the position of its name."""
    left, equals, right = part.partition("=")
    name, value = left.strip(), right.strip()
    position = start + len(left) - len(left.lstrip())
    value_position = start + len(left) + 1 + len(right) - len(right.lstrip())
    if not part.strip():
        raise FieldMapError(start, "there is nothing before this semicolon", "take one of the semicolons out")
    if not equals:
        raise FieldMapError(position, f"{name!r} has no '='", "write name=path, separated by semicolons")
    if name not in NAMES:
        raise FieldMapError(position, f"there is no name {name!r}", f"the names are {', '.join(NAMES)}")
    if not value:
        raise FieldMapError(
            value_position, f"{name!r} has nothing after its '='", "give a value, or leave the name out"
        )
    return _Entry(name, value, value_position), position


def _parse_value(entry: _Entry) -> dict[str, Any]:
    match entry.name:
        case "serial" | "payload" | "port" | "time":
            return {entry.name: _parse_path(entry)}
        case "array":
            return {"array_is_one": _choose(entry, "one") == "one"}
        case "encoding":
            return {"encoding": _choose(entry, "hex", "base64")}
        case "serial_encoding":
            return {"serial_encoding": _choose(entry, "base64")}
        case _:
            return {"preset": entry.value}


def _parse_path(entry: _Entry) -> Path:
    path = tuple(entry.value.split("."))
    if "" in path:
        position = entry.position + sum(len(key) + 1 for key in path[: path.index("")])
        raise FieldMapError(position, f"a key is empty in the path {entry.value!r}", "write one dot between two keys")
    return path


def _choose(entry: _Entry, *choices: str) -> str:
    if entry.value not in choices:
        raise FieldMapError(
            entry.position, f"{entry.name!r} cannot be {entry.value!r}", f"it can be {' or '.join(choices)}"
        )
    return entry.value


def _find_preset(entry: _Entry) -> str:
    if entry.value not in PRESETS:
        raise FieldMapError(
            entry.position,
            f"there is no preset {entry.value!r}",
            f"the closest are {', '.join(closest_presets(entry.value))}",
        )
    return PRESETS[entry.value]


class Found(NamedTuple, Generic[T]):
    """A field that was found: its value, and the keys that led to it. In the query that is one key, however dotted."""

    value: T
    path: Path
    in_query: bool


@dataclass(frozen=True, slots=True, eq=False)
class Missing:
    """A field that was not found. The message is made only when it is read: most of them never are."""

    wanted: WantedField
    path: Path | None
    item: Item = field(repr=False)
    query: Query = field(repr=False)

    @property
    def message(self) -> str:
        """What was looked for and what is there instead, so that the sender can mend it. Names and types, no values."""
        if self.path is None:
            return explain_common_names(self.wanted, self.item, self.query)
        return explain_path(self.wanted, self.path, self.item, self.query)


def find_serial(field_map: FieldMap, item: Item, query: Query) -> Found[str] | Missing:
    """Find the serial in the body, else in the query."""
    found = _find(SERIAL, read_serial, field_map.serial, item, query)
    if field_map.serial_encoding is not None and isinstance(found, Found):
        return found._replace(value=_decode_eui(found.value))
    return found


def find_payload(field_map: FieldMap, item: Item, query: Query) -> Found[str] | Missing:
    """Find the payload, as it came."""
    return _find(PAYLOAD, read_payload, field_map.payload, item, query)


def find_port(field_map: FieldMap, item: Item, query: Query) -> Found[int] | Missing:
    """Find the port."""
    return _find(PORT, read_port, field_map.port, item, query)


def find_time(field_map: FieldMap, item: Item, query: Query, arrived_at: datetime) -> Found[datetime] | Missing:
    """Find the time of the reading; one more than a day after ``arrived_at`` counts as missing."""
    return _find(TIME, partial(read_time, arrived_at=arrived_at), field_map.time, item, query)


def _find(
    wanted: WantedField, read: Callable[[object], T | None], path: Path | None, item: Item, query: Query
) -> Found[T] | Missing:
    found = _find_common(wanted, read, item, query) if path is None else _find_mapped(read, path, item, query)
    return Missing(wanted, path, item, query) if found is None else found


def _find_mapped(read: Callable[[object], T | None], path: Path, item: Item, query: Query) -> Found[T] | None:
    here, depth = walk(item, path)
    if depth == len(path) and (value := read(here)) is not None:
        return Found(value, path, in_query=False)
    if query:
        key = ".".join(path)
        if key in query and (value := read(first_value(query[key]))) is not None:
            return Found(value, (key,), in_query=True)
    return None


def _find_common(wanted: WantedField, read: Callable[[object], T | None], item: Item, query: Query) -> Found[T] | None:
    if isinstance(item, dict) and (found := _first_usable(wanted, read, item)) is not None:
        return Found(*found, in_query=False)
    if query:
        parameters = {key: first_value(values) for key, values in query.items()}
        if (found := _first_usable(wanted, read, parameters)) is not None:
            return Found(*found, in_query=True)
    return None


def _first_usable(
    wanted: WantedField, read: Callable[[object], T | None], fields: Mapping[str, Any]
) -> tuple[T, Path] | None:
    ranks = wanted.ranks
    candidates = [key for key in fields if key.lower() in ranks]
    if len(candidates) > 1:
        candidates.sort(key=lambda key: ranks[key.lower()])
    for key in candidates:
        if (value := read(fields[key])) is not None:
            return value, (key,)
    return None


def _decode_eui(serial: str) -> str:
    if not serial.endswith("="):  # eight bytes need padding, and hexadecimal digits are base64 as well
        return serial
    try:
        digits = base64_to_hex(serial)
    except ValueError:
        return serial
    return digits if len(digits) == EUI_DIGITS else serial
