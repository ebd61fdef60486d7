"""Records as a device's data is posted: read, checked against TagoIO's limits, refused with the record and the field.

One record that breaks a rule has the whole body refused, as TagoIO does.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from common.fields.reading_time import read_time
from registry.ids import create_id
from registry.refusal import invalid
from registry.schema import GROUP_CHARACTERS, UNIT_CHARACTERS, VARIABLE_CHARACTERS

VALUE_BYTES = 6_144
"""Longest string value, in UTF-8."""

METADATA_BYTES = 10_000
"""Largest metadata, as compact JSON."""

MOST_LATITUDE = 90
MOST_LONGITUDE = 180

_VARIABLE = re.compile(rf"[^*?!<>.\-=$\s\0]{{1,{VARIABLE_CHARACTERS}}}")

_POINT_DIMENSIONS = (2, 3)
"""A GeoJSON point has a longitude, a latitude, and perhaps an altitude."""

_ANY_TIME: Final = datetime.max.replace(tzinfo=UTC)
"""Whether a time is too far ahead is for the mapping of an uplink to judge; a forecast is data as well."""


@dataclass(frozen=True, slots=True)
class ValidRecord:
    """One value of a device, within TagoIO's limits. ``location`` is a GeoJSON point; ``value`` may be missing."""

    variable: str
    value: str | float | bool | None
    unit: str | None
    group: str
    time: datetime
    location: dict[str, Any] | None
    metadata: dict[str, Any] | None


class _RuleBrokenError(Exception):
    """A field is not within TagoIO's limits; the message says what it must be."""


RECORDS_SCHEMA: Final = {"$ref": "#/components/schemas/Payload"}
"""What a body is, for the OpenAPI document."""

RECORD_SCHEMA: Final = {
    "type": "object",
    "required": ["variable"],
    "properties": {
        "variable": {"type": "string", "minLength": 1, "maxLength": VARIABLE_CHARACTERS},
        "value": {"type": ["string", "number", "boolean", "null"]},
        "unit": {"type": ["string", "null"], "maxLength": UNIT_CHARACTERS},
        "group": {"type": ["string", "null"], "maxLength": GROUP_CHARACTERS},
        "serie": {"type": ["string", "null"], "maxLength": GROUP_CHARACTERS, "description": "Another name of group"},
        "time": {"type": ["string", "number", "null"], "description": "ISO 8601, or Unix time"},
        "location": {"type": ["object", "null"], "description": '{"lat", "lng"}, or a GeoJSON point'},
        "metadata": {"type": ["object", "null"]},
    },
}
"""What a record is, for the OpenAPI document."""


def parse_payload(body: bytes, media_type: str) -> Any:
    """Read the body of a post: text where it says that it is, else JSON. Raises RefusedError (400)."""
    if media_type == "text/plain":
        return body.decode(errors="replace")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise invalid(f"The body is not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None


def check_records(documents: Any) -> list[ValidRecord]:
    """Check one record, or an array of them.

    Records without a group share a new one, and those without a time were made now. A field that is null counts as
    missing, and fields that a record does not have (``id``, ``origin``) are passed over, so that what was read can be
    posted again. Raises :class:`registry.refusal.RefusedError` (400).
    """
    listed = documents if isinstance(documents, list) else [documents]
    if not listed:
        raise invalid("The body holds no record")
    group, now = create_id(), datetime.now(UTC)
    return [_read_record(index, fields, group, now) for index, fields in enumerate(listed)]


def _read_record(index: int, fields: Any, group: str, now: datetime) -> ValidRecord:
    if not isinstance(fields, dict):
        raise invalid(f"Record {index} must be an object; anything else needs a payload parser")

    if fields.get("variable") is None:
        raise invalid(f"Record {index}: variable is missing; what is no record needs a payload parser")
    read: dict[str, Any] = {}
    for name, reader in _READERS.items():
        value = fields.get(name)
        try:
            read[name] = None if value is None else reader(value)
        except _RuleBrokenError as error:
            raise invalid(f"Record {index}: {name} must be {error}") from None
    serie = read.pop("serie")
    read["group"] = read["group"] or serie or group
    read["time"] = read["time"] or now
    return ValidRecord(**read)


def _read_variable(value: Any) -> str:
    if not isinstance(value, str) or not _VARIABLE.fullmatch(value) or value != value.lower():
        raise _RuleBrokenError(
            f"a string of 1 to {VARIABLE_CHARACTERS} characters in lower case, without spaces and *?!<>.-=$"
        )
    return value


def _read_value(value: Any) -> str | float | bool:
    # A string of a quarter of the bytes cannot be too long, and that spares nearly every one the encoding.
    if not isinstance(value, str | int | float) or (
        isinstance(value, str) and len(value) > VALUE_BYTES // 4 and len(value.encode()) > VALUE_BYTES
    ):
        raise _RuleBrokenError(f"a number, a boolean, or a string of at most {VALUE_BYTES:,} bytes")
    return value


def _read_unit(value: Any) -> str:
    return _read_text(value, UNIT_CHARACTERS)


def _read_group(value: Any) -> str:
    return _read_text(value, GROUP_CHARACTERS)


def _read_text(value: Any, most: int) -> str:
    if not isinstance(value, str) or len(value) > most or "\0" in value:
        raise _RuleBrokenError(f"a string of at most {most} characters")
    return value


def _read_time(value: Any) -> datetime:
    time = read_time(value, _ANY_TIME)
    if time is None:
        raise _RuleBrokenError("an ISO 8601 time or a Unix time")
    return time


def _read_location(value: Any) -> dict[str, Any]:
    """Read ``{"lat", "lng"}`` or a GeoJSON point; the latter is what TagoIO answers with."""
    match value:
        case {"lat": lat, "lng": lng}:
            coordinates = [lng, lat]
        case {"type": "Point" | "point", "coordinates": [*numbers]} if len(numbers) in _POINT_DIMENSIONS:
            coordinates = numbers
        case _:
            coordinates = []
    if (
        not coordinates
        or not all(isinstance(number, int | float) and not isinstance(number, bool) for number in coordinates)
        or abs(coordinates[0]) > MOST_LONGITUDE
        or abs(coordinates[1]) > MOST_LATITUDE
    ):
        raise _RuleBrokenError(
            'an object {"lat": …, "lng": …} or {"type": "Point", "coordinates": [longitude, latitude]}, in degrees'
        )
    return {"type": "Point", "coordinates": coordinates}


def _read_metadata(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or _measure(value) > METADATA_BYTES:
        raise _RuleBrokenError(f"an object of at most {METADATA_BYTES:,} bytes, and not nested in hundreds of levels")
    return value


def _measure(value: dict[str, Any]) -> int:
    """Give the bytes of an object as JSON; more than are allowed for what orjson reads but cannot write again."""
    try:
        return len(orjson.dumps(value))
    except orjson.JSONEncodeError:
        return METADATA_BYTES + 1


_READERS: Final[dict[str, Callable[[Any], Any]]] = {
    "variable": _read_variable,
    "value": _read_value,
    "unit": _read_unit,
    "group": _read_group,
    "serie": _read_group,
    "time": _read_time,
    "location": _read_location,
    "metadata": _read_metadata,
}
"""What reads each field of a record."""
