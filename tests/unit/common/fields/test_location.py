"""Coordinates among the fields of one object."""

from typing import Any

import pytest

from common.fields.location import find_coordinates


@pytest.mark.parametrize(
    ("fields", "coordinates"),
    [
        ({"latitude": 35.77, "longitude": -78.67}, (35.77, -78.67, "latitude", "longitude")),
        ({"lat": 35.77, "lng": -78.67}, (35.77, -78.67, "lat", "lng")),
        ({"LAT": 1, "Lng": 2}, (1, 2, "LAT", "Lng")),
        ({"Longitude": 2, "x": 0, "LATITUDE": 1}, (1, 2, "LATITUDE", "Longitude")),
        ({"lat": "1", "lng": "104.5"}, (1, 104.5, "lat", "lng")),
        ({"lat": 0, "lng": 0}, (0, 0, "lat", "lng")),
        ({"lat": 90, "lng": -180}, (90, -180, "lat", "lng")),
        ({"lat": 1, "lng": 2, "latitude": 3, "longitude": 4}, (3, 4, "latitude", "longitude")),
        ({"lat": 1, "lng": 2, "latitude": None, "longitude": 4}, (1, 2, "lat", "lng")),
        ({"Lat": "n/a", "lat": 1, "lng": 2}, (1, 2, "lat", "lng")),
        ({"Lat": 3, "lat": 1, "lng": 2}, (3, 2, "Lat", "lng")),
    ],
)
def test_a_pair_on_the_globe_is_found_in_any_case(fields: dict[str, Any], coordinates: tuple[Any, ...]) -> None:
    assert find_coordinates(fields) == coordinates


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"lat": 1},
        {"longitude": 1},
        {"lat": 1, "longitude": 2},
        {"lat": 1, "lon": 2},
        {"lat": 90.1, "lng": 0},
        {"lat": 0, "lng": -180.5},
        {"lat": True, "lng": 2},
        {"lat": 1, "lng": None},
        {"lat": 1, "lng": ""},
        {"lat": 1, "lng": "2 E"},
        {"lat": 1, "lng": [2]},
        {"lat": "nan", "lng": 2},
    ],
)
def test_anything_else_is_no_place(fields: dict[str, Any]) -> None:
    assert find_coordinates(fields) is None


def test_a_half_that_is_something_else_already_makes_no_pair() -> None:
    fields = {"lat": "12", "lng": 2, "latitude": 3, "longitude": 4}
    assert find_coordinates(fields, taken={"latitude"}) == (12, 2, "lat", "lng")
    assert find_coordinates(fields, taken={"latitude", "lng"}) is None
