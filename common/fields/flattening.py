"""From nested fields to a flat list of values, without recursion: a depth of 1,000 is somebody's uplink as well."""

from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from common.fields.location import Coordinates, find_coordinates
from common.fields.place import Place

Taken: TypeAlias = dict[str, "Taken"]
"""The fields that are something else already: a tree of keys. A plain value that it leads to is left out."""

Leaf: TypeAlias = tuple[Place, str, Any]
"""Where a value stands, its key there, and the value: string, number, boolean or :class:`Coordinates`."""

_CONTAINERS = (dict, list)
_NOTHING: Taken = {}


def flatten(container: dict[str, Any] | list[Any], taken: Taken) -> Iterator[Leaf]:
    """Give the values in ``container`` in their order, however deep they stand.

    ``null``, ``{}`` and ``[]`` give nothing. A pair of coordinates comes once, under the key ``location``, where its
    first half stood.
    """
    place = Place()
    levels = [(place, taken, iter(_fields(container, taken)))]
    while levels:
        place, taken, fields = levels[-1]
        for key, value in fields:
            if isinstance(value, _CONTAINERS):
                below = taken.get(key, _NOTHING)
                levels.append((place.within(key), below, iter(_fields(value, below))))
                break
            if value is not None and (key not in taken or isinstance(value, Coordinates)):
                yield place, key, value
        else:
            levels.pop()


def _fields(container: dict[str, Any] | list[Any], taken: Taken) -> Iterable[tuple[str, Any]]:
    """Give the fields of one level that are still to be told: without those taken, with coordinates joined."""
    if isinstance(container, list):
        fields: Iterable[tuple[str, Any]] = ((str(index), member) for index, member in enumerate(container))
        coordinates = None
    else:
        fields = container.items()
        coordinates = find_coordinates(container, taken)
    return fields if coordinates is None else _join_coordinates(fields, coordinates)


def _join_coordinates(fields: Iterable[tuple[str, Any]], coordinates: Coordinates) -> Iterator[tuple[str, Any]]:
    halves = (coordinates.latitude_key, coordinates.longitude_key)
    joined = False
    for key, value in fields:
        if key not in halves:
            yield key, value
        elif not joined:
            joined = True
            yield "location", coordinates
