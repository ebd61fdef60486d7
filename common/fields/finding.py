"""How the fields of an uplink are found: by the paths of a field map, in the body first and then in the query."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar

from common.envelope import Item, Query
from common.fields.closest_path import find_closest_path, find_common_below
from common.fields.encoding import PAYLOAD_ENCODINGS, PayloadEncoding, base64_to_hex
from common.fields.field_map import FieldMap
from common.fields.field_path import Path, first_value, walk
from common.fields.missing_field import explain_common_names, explain_path
from common.fields.reading_time import read_time
from common.fields.set_aside import Condition
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

EUI_DIGITS = 16
"""Hexadecimal digits of a device's EUI, which has eight bytes."""


class Found(NamedTuple, Generic[T]):
    """A field that was found: its value, and the keys that led to it, choices made.

    In the query that is one key, however dotted.
    """

    value: T
    path: Path
    in_query: bool


@dataclass(slots=True, eq=False)  # to be frozen costs as much again, and one is made for nearly every uplink
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
            return explain_common_names(self.wanted, self.item, self.query, self.closest)
        return explain_path(self.wanted, self.path, self.item, self.query, self.closest)

    @property
    def closest(self) -> str | None:
        """The path that was probably meant; None where nothing is there that is like it."""
        if self.path is None:
            return find_common_below(self.wanted.ranks, self.item)
        return find_closest_path(self.path, self.item, self.query)


def find_serial(field_map: FieldMap, item: Item, query: Query) -> Found[str] | Missing:
    """Find the serial in the body, else in the query."""
    found = _find(SERIAL, read_serial, field_map.serial, item, query)
    if field_map.serial_encoding is not None and isinstance(found, Found):
        return found._replace(value=_decode_eui(found.value))
    return found


def bears_serial(field_map: FieldMap, item: Item) -> bool:
    """Whether the body surely holds a serial; False where :func:`find_serial` has to say. It makes nothing."""
    if field_map.serial is not None or not isinstance(item, dict):
        return False
    for key in SERIAL.candidates[tuple(item)]:  # noqa: SIM110 - `any` would make a generator for each item
        if read_serial(item[key]) is not None:
            return True
    return False


def find_payload(field_map: FieldMap, item: Item, query: Query) -> Found[str] | Missing:
    """Find the payload, as it came."""
    return _find(PAYLOAD, read_payload, field_map.payload, item, query)


def find_payload_encoding(field_map: FieldMap, item: Item) -> PayloadEncoding:
    """Give the payload's encoding: what the uplink says of it (``HEXA``, ``base64``…), else what the map says."""
    if field_map.encoding_field is None:
        return field_map.encoding
    said, _, depth = walk(item, field_map.encoding_field)
    if depth == len(field_map.encoding_field) and isinstance(said, str):
        for encoding in PAYLOAD_ENCODINGS:
            if said.lower().startswith(encoding):
                return encoding
    return field_map.encoding


def find_set_aside(field_map: FieldMap, item: Item, query: Query) -> Condition | None:
    """Say by what an item is known that is no uplink; None for an uplink."""
    return None if field_map.set_aside is None else field_map.set_aside.find(item, query)


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
    here, chosen, depth = walk(item, path)
    if depth == len(path) and (value := read(here)) is not None:
        return Found(value, chosen, in_query=False)
    if query:
        key = ".".join(path)
        if key in query and (value := read(first_value(query[key]))) is not None:
            return Found(value, (key,), in_query=True)
    return None


def _find_common(wanted: WantedField, read: Callable[[object], T | None], item: Item, query: Query) -> Found[T] | None:
    found = _first_usable(wanted, read, item, in_query=False) if isinstance(item, dict) else None
    if found is None and query:
        parameters = {key: first_value(values) for key, values in query.items()}
        return _first_usable(wanted, read, parameters, in_query=True)
    return found


def _first_usable(
    wanted: WantedField, read: Callable[[object], T | None], fields: Mapping[str, Any], *, in_query: bool
) -> Found[T] | None:
    for key in wanted.candidates[tuple(fields)]:
        if (value := read(fields[key])) is not None:
            return Found(value, (key,), in_query)
    return None


def _decode_eui(serial: str) -> str:
    if not serial.endswith("="):  # eight bytes need padding, and hexadecimal digits are base64 as well
        return serial
    try:
        digits = base64_to_hex(serial)
    except ValueError:
        return serial
    return digits if len(digits) == EUI_DIGITS else serial
