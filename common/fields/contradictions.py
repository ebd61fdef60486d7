"""Field maps that can be read but cannot work, whatever is sent."""

from itertools import combinations

from common.fields.field_map import FieldMap
from common.fields.field_path import Path, leads_into_array


def find_contradictions(field_map: FieldMap) -> list[str]:
    """Say what is wrong with a map, and what to do about it; mostly nothing."""
    return [*_compare_with_array(field_map), *_find_doubles(field_map), *_find_hopeless(field_map)]


def _compare_with_array(field_map: FieldMap) -> list[str]:
    if field_map.array_is_one and field_map.serial is None:
        return ["array=one makes the whole array one uplink, where no common name is tried: name the serial's path"]
    if field_map.array_is_one:
        return [
            f"{name}={_dot(path)} leads into an object, but with array=one an uplink is an array: "
            f"begin with a number, as in {name}=0.{_dot(path)}"
            for name, path in _paths(field_map)
            if not leads_into_array(path)
        ]
    return [
        f"{name}={_dot(path)} begins in an array, but each member of an array is an uplink of its own: "
        f"write {name}={_dot(path[1:]) or '…'}, or say array=one"
        for name, path in _paths(field_map)
        if leads_into_array(path)
    ]


def _find_doubles(field_map: FieldMap) -> list[str]:
    return [
        f"{one} and {other} are both at {_dot(path)}: one of them is wrong"
        for (one, path), (other, other_path) in combinations(_paths(field_map), 2)
        if path == other_path
    ]


def _find_hopeless(field_map: FieldMap) -> list[str]:
    conditions = field_map.set_aside.conditions if field_map.set_aside else ()
    there = {condition.path for condition in conditions if condition.sign is None}
    return [
        f"set_aside={_dot(path)} sets every item aside that has its {name} there"
        for name, path in _paths(field_map)
        if path in there
    ]


def _paths(field_map: FieldMap) -> list[tuple[str, Path]]:
    paths = (
        ("serial", field_map.serial),
        ("payload", field_map.payload),
        ("port", field_map.port),
        ("time", field_map.time),
    )
    return [(name, path) for name, path in paths if path is not None]


def _dot(path: Path) -> str:
    return ".".join(path)
