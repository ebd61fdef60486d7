"""The field map of an authorization key: where its uplinks hold their serial, payload, port and time.

As text it is what TagoIO calls additional parameters: ``serial=devaddr;payload=payload_raw;port=fport``.
"""

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal, NamedTuple

from common.fields.encoding import PAYLOAD_ENCODINGS, PayloadEncoding
from common.fields.field_path import Path, PathError, parse_path
from common.fields.presets import PRESETS, closest_presets
from common.fields.set_aside import Condition, SetAsideConditions

NAMES = (
    "serial",
    "payload",
    "port",
    "time",
    "encoding",
    "encoding_field",
    "serial_encoding",
    "array",
    "set_aside",
    "preset",
)
"""The names that the text of a field map may give."""

_SIGNED = re.compile(r"(.+?)\s*(!=|=)\s*([^\]=!]*)")
"""A condition with a sign; the path before it may choose a member of an array, which has a sign as well."""


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
    encoding: PayloadEncoding = "hex"
    """Of the payload; ``hex`` passes it on as it came."""
    encoding_field: Path | None = None
    """Where an uplink says its payload's encoding itself; one that does not has ``encoding``."""
    serial_encoding: Literal["base64"] | None = None
    """``base64``: a serial that is eight bytes in base64 is an EUI and becomes 16 lower-case hexadecimal digits."""
    array_is_one: bool = False
    """Whether a top-level array is one uplink and not a batch."""
    set_aside: SetAsideConditions | None = None
    """What an item has that is no uplink."""
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


def spell_field_map(field_map: FieldMap) -> str:
    """Give a text that makes this map; the paths of a preset are spelled out."""
    paths = {
        "serial": field_map.serial,
        "payload": field_map.payload,
        "port": field_map.port,
        "time": field_map.time,
        "encoding_field": field_map.encoding_field,
    }
    entries = {name: ".".join(path) for name, path in paths.items() if path is not None}
    if field_map.encoding != "hex":
        entries["encoding"] = field_map.encoding
    if field_map.serial_encoding is not None:
        entries["serial_encoding"] = field_map.serial_encoding
    if field_map.array_is_one:
        entries["array"] = "one"
    if field_map.set_aside is not None:
        entries["set_aside"] = str(field_map.set_aside)
    return ";".join(f"{name}={value}" for name, value in entries.items())


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
        raise FieldMapError(position, f"there is no name {name!r}", _name_names(name))
    if not value:
        raise FieldMapError(
            value_position, f"{name!r} has nothing after its '='", "give a value, or leave the name out"
        )
    return _Entry(name, value, value_position), position


def _parse_value(entry: _Entry) -> dict[str, Any]:
    match entry.name:
        case "serial" | "payload" | "port" | "time" | "encoding_field":
            return {entry.name: _parse_path(entry.value, entry.position)}
        case "set_aside":
            return {"set_aside": SetAsideConditions(_parse_conditions(entry))}
        case "array":
            return {"array_is_one": _choose(entry, "one") == "one"}
        case "encoding":
            return {"encoding": _choose(entry, *PAYLOAD_ENCODINGS)}
        case "serial_encoding":
            return {"serial_encoding": _choose(entry, "base64")}
        case _:
            return {"preset": entry.value}


def _parse_path(text: str, position: int) -> Path:
    try:
        return parse_path(text)
    except PathError as error:
        raise FieldMapError(position + error.offset, error.problem, error.remedy) from None


def _parse_conditions(entry: _Entry) -> tuple[Condition, ...]:
    conditions: list[Condition] = []
    position = entry.position
    for part in entry.value.split(","):
        conditions.append(_parse_condition(part.strip(), position + len(part) - len(part.lstrip())))
        position += len(part) + 1
    return tuple(conditions)


def _parse_condition(text: str, position: int) -> Condition:
    signed = _SIGNED.fullmatch(text)
    if signed is None:
        return Condition(_parse_path(text, position))
    path, sign, value = signed.groups()
    return Condition(_parse_path(path, position), "=" if sign == "=" else "!=", value)


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
    return PRESETS[entry.value].text


def _name_names(name: str) -> str:
    close = get_close_matches(name.lower(), NAMES, n=1)
    names = f"the names are {', '.join(NAMES)}"
    return f"did you mean {close[0]!r}? {names}" if close else names
