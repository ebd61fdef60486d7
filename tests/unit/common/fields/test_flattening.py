"""From nested fields to a flat list of values."""

from typing import Any

from common.fields.flattening import flatten
from common.fields.location import Coordinates


def test_values_come_in_their_order_with_the_place_where_they_stood() -> None:
    fields = {"b": 1, "a": {"y": [True, {"z": "s"}], "x": 2.5}, "c": ""}
    assert _flat(fields) == [("b", 1), ("a.y.0", True), ("a.y.1.z", "s"), ("a.x", 2.5), ("c", "")]


def test_the_members_of_a_top_level_array_are_named_by_their_number() -> None:
    assert _flat([{"n": "a"}, 5]) == [("0.n", "a"), ("1", 5)]


def test_null_and_empty_containers_give_nothing() -> None:
    assert _flat({"a": None, "b": {}, "c": [], "d": [None, {"e": None}], "f": 0, "g": False}) == [
        ("f", 0),
        ("g", False),
    ]


def test_coordinates_come_once_where_their_first_half_stood() -> None:
    fields = {"a": 1, "Lng": 2, "b": 3, "lat": 4, "c": 5}
    assert _flat(fields) == [("a", 1), ("location", Coordinates(4, 2, "lat", "Lng")), ("b", 3), ("c", 5)]


def test_a_taken_value_is_left_out_and_its_namesakes_elsewhere_are_not() -> None:
    fields = {"id": 1, "a": {"id": 2, "b": [{"id": 3}, {"id": 4}]}}
    assert _flat(fields, {"a": {"b": {"1": {"id": {}}}}}) == [("id", 1), ("a.id", 2), ("a.b.0.id", 3)]
    assert _flat(fields, {"id": {}}) == [("a.id", 2), ("a.b.0.id", 3), ("a.b.1.id", 4)]


def test_coordinates_are_not_taken_for_a_field_of_their_name() -> None:
    fields = {"location": "here", "lat": 4, "lng": 2}
    assert _flat(fields, {"location": {}}) == [("location", Coordinates(4, 2, "lat", "lng"))]


def test_a_thousand_levels_are_flattened() -> None:
    fields: Any = "deep"
    for _ in range(500):
        fields = {"k": [fields]}
    assert _flat(fields) == [(".".join(["k.0"] * 500)[:500] + "…" + ".".join(["k.0"] * 500)[-500:], "deep")]


def _flat(fields: Any, taken: Any = None) -> list[tuple[str, Any]]:
    return [(place.path(key), value) for place, key, value in flatten(fields, taken or {})]
