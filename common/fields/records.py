"""From one uplink to the records that TagoIO stores: one value each, all with the group and time of the uplink."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, NotRequired, TypedDict

from common.envelope import Item, Uplink
from common.fields.encoding import PayloadEncoding, base64_to_hex
from common.fields.field_map import FieldMap
from common.fields.finding import (
    Found,
    Missing,
    find_payload,
    find_payload_encoding,
    find_port,
    find_serial,
    find_time,
)
from common.fields.flattening import Taken, flatten
from common.fields.location import Coordinates
from common.fields.place import Place
from common.fields.reading_time import format_time
from common.reason import Reason

VALUE_BYTES = 6_144
"""Longest string that TagoIO takes as a value, in UTF-8."""

CHARACTER_BYTES = 4
"""Most bytes of one character in UTF-8."""

MOST_RECORDS = 2_100
"""Records of one uplink: more do not fit into the 200 kB that TagoIO takes in one post, at 100 bytes for the smallest.

An uplink cannot be divided over posts, and a body of a megabyte could hold half a million values.
"""

_TOP = Place()


class Location(TypedDict):
    """A place on earth, in degrees."""

    lat: float
    lng: float


class Record(TypedDict):
    """One value as TagoIO stores it. ``time`` is RFC 3339 in UTC."""

    variable: str
    value: str | float | bool
    group: str
    time: str
    location: NotRequired[Location]
    metadata: NotRequired[dict[str, str]]


class MappedFields(NamedTuple):
    """What became of an uplink. One that carries a raw payload may share its post with no other."""

    serial: str
    records: list[Record]
    carries_payload: bool


@dataclass(frozen=True, slots=True)
class Unmappable:
    """Why an uplink can become no records, now or later. ``detail`` names fields and types, never values."""

    reason: Reason
    detail: str


class _ValueRefusedError(Exception):
    """TagoIO would refuse a value, and with it everything else in the same post."""


def map_fields(field_map: FieldMap, uplink: Uplink) -> MappedFields | Unmappable:
    """Give the records of an uplink: serial, payload, port, then every other field in its order."""
    item, envelope = uplink.item, uplink.envelope
    serial = find_serial(field_map, item, envelope.query)
    if isinstance(serial, Missing):
        return Unmappable(Reason.SERIAL_MISSING, serial.message)
    payload = find_payload(field_map, item, envelope.query)
    port = find_port(field_map, item, envelope.query)
    time = find_time(field_map, item, envelope.query, envelope.arrived_at)

    records = _RecordList(envelope.group, time.value if isinstance(time, Found) else envelope.arrived_at)
    try:
        records.add("serial", serial.value, _TOP, ".".join(serial.path))
        if isinstance(payload, Found):
            encoding = find_payload_encoding(field_map, item)
            records.add("payload", _decode_payload(payload, encoding), _TOP, ".".join(payload.path))
        if isinstance(port, Found):
            records.add("port", port.value, _TOP, ".".join(port.path))
        fields = dict(envelope.query) if item is None else item
        for place, key, value in flatten(fields, _list_taken(item, serial, payload, port, time)):
            if isinstance(value, Coordinates):
                records.add_location(place.variable(key), value, place)
            else:
                records.add(place.variable(key), value, place, key)
    except _ValueRefusedError as error:
        return Unmappable(Reason.VALUE_REFUSED, str(error))
    return MappedFields(serial.value, records.records, carries_payload=records.has("payload"))


class _RecordList:
    """The records of one uplink as they are made, within TagoIO's limits."""

    def __init__(self, group: str, time: datetime) -> None:
        self.records: list[Record] = []
        self._group = group
        self._time = format_time(time)
        self._variables: set[str] = set()

    def add(self, variable: str, value: str | float, place: Place, key: str) -> Record:
        """Make the record of the value under ``key``; where the name is taken already, it says which field it was."""
        if len(self.records) >= MOST_RECORDS:
            raise _ValueRefusedError(f"the uplink has more than {MOST_RECORDS:,} values, which no post can hold")
        if isinstance(value, str) and len(value) * CHARACTER_BYTES > VALUE_BYTES:
            _check_length(variable, value, place, key)
        record: Record = {"variable": variable, "value": value, "group": self._group, "time": self._time}
        if variable in self._variables:
            record["metadata"] = {"field": place.path(key)}
        self._variables.add(variable)
        self.records.append(record)
        return record

    def has(self, variable: str) -> bool:
        """Whether there is a record of this variable, whichever field it came from."""
        return variable in self._variables

    def add_location(self, variable: str, coordinates: Coordinates, place: Place) -> None:
        """Make the record of a place on earth."""
        latitude, longitude, *keys = coordinates
        record = self.add(variable, f"{latitude}, {longitude}", place, ",".join(keys))
        record["location"] = {"lat": latitude, "lng": longitude}


def _check_length(variable: str, value: str, place: Place, key: str) -> None:
    size = len(value.encode())
    if size > VALUE_BYTES:
        raise _ValueRefusedError(
            f"the value of {variable!r} (field {place.path(key)!r}) has {size:,} bytes; TagoIO takes {VALUE_BYTES:,}"
        )


def _decode_payload(payload: Found[str], encoding: PayloadEncoding) -> str:
    if encoding == "hex":
        return payload.value
    try:
        return base64_to_hex(payload.value)
    except ValueError:
        raise _ValueRefusedError(
            f"the payload at {'.'.join(payload.path)!r} is no base64, as which the key's additional parameters give it:"
            " take encoding=base64 out, or have the sender encode it"
        ) from None


def _list_taken(item: Item, *fields: Found[Any] | Missing) -> Taken:
    """Give the fields that became serial, payload, port or time, as far as they stand among those to be flattened.

    With a body the query is not flattened, so that what was found there takes nothing from the body.
    """
    taken: Taken = {}
    for field in fields:
        if isinstance(field, Found) and field.in_query == (item is None):
            level = taken
            for key in field.path:
                level = level.setdefault(key, {})
            if field.in_query:
                level["0"] = {}  # a parameter that came more than once is a list, and its first value was taken
    return taken
