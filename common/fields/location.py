"""Coordinates among the fields of one object."""

from collections.abc import Container, Mapping
from typing import Any, NamedTuple

from common.fields.number import read_number

_PAIRS = (("latitude", "longitude"), ("lat", "lng"))
_NAMES = frozenset(name for pair in _PAIRS for name in pair)
_LENGTHS = frozenset(map(len, _NAMES))

MOST_LATITUDE = 90
MOST_LONGITUDE = 180


class Coordinates(NamedTuple):
    """A place on earth in degrees, and the keys that held the two halves."""

    latitude: float
    longitude: float
    latitude_key: str
    longitude_key: str


def find_coordinates(fields: Mapping[str, Any], taken: Container[str] = ()) -> Coordinates | None:
    """Give the coordinates that ``fields`` holds: latitude and longitude, else lat and lng, in any case.

    Both halves are numbers, or strings that spell one, and on the globe. Keys in ``taken`` are something else already.
    """
    # The length spares most keys the copy in lower case.
    keys = [key for key in fields if len(key) in _LENGTHS and key.lower() in _NAMES and key not in taken]
    if not keys:
        return None
    for latitude_name, longitude_name in _PAIRS:
        latitude = _find_half(fields, keys, latitude_name, MOST_LATITUDE)
        longitude = _find_half(fields, keys, longitude_name, MOST_LONGITUDE)
        if latitude and longitude:
            return Coordinates(latitude[1], longitude[1], latitude[0], longitude[0])
    return None


def _find_half(fields: Mapping[str, Any], keys: list[str], name: str, most: int) -> tuple[str, float] | None:
    for key in keys:
        if key.lower() == name:
            degrees = read_number(fields[key])
            if degrees is not None and -most <= degrees <= most:
                return key, degrees
    return None
