"""The path that somebody probably meant."""

from typing import Any

import pytest

from common.envelope import Item, Query
from common.fields.closest_path import MOST_PATHS, find_closest_path, find_common_below
from common.fields.wanted_field import SERIAL


@pytest.mark.parametrize(
    ("path", "item", "query", "closest"),
    [
        ("devadr", {"devaddr": "S", "data": "x"}, {}, "devaddr"),
        ("DevEUI", {"devEui": "S"}, {}, "devEui"),
        ("devEui", {"x": 1, "deviceInfo": {"devEui": "S"}}, {}, "deviceInfo.devEui"),
        ("info.devEui", {"deviceInfo": {"devEui": "S"}, "other": {"devEui": "T"}}, {}, "deviceInfo.devEui"),
        ("deviceInfo.devEU", {"deviceInfo": {"devEui": "S"}}, {}, "deviceInfo.devEui"),
        ("0.v.deveui", [{"v": {"devEui": "S"}}], {}, "0.v.devEui"),
        ("device", {}, {"Device": "S"}, "Device"),
        ("devaddr", {"temperature": 1, "humidity": 2}, {}, None),
        ("devaddr", {}, {}, None),
        ("devaddr", None, {}, None),
        ("devaddr", {"devaddr": {}, "x": None}, {}, None),
        ("a", {"b.a": "no path leads there", "c": {"[a": 1, "a;": 2}}, {}, None),
    ],
)
def test_a_path_that_leads_nowhere_is_compared_with_those_that_lead_to_a_value(
    path: str, item: Item, query: Query, closest: str | None
) -> None:
    assert find_closest_path(tuple(path.split(".")), item, query) == closest


@pytest.mark.parametrize(
    ("item", "path"),
    [
        ({"end_device_ids": {"dev_eui": "S", "device_id": "d"}}, "end_device_ids.device_id"),
        ({"deviceInfo": {"devEui": "S"}}, "deviceInfo.devEui"),
        ({"a": {"b": {"eui": "S"}}, "c": {"eui": "T"}}, "c.eui"),
        ([{"v": {"devEui": "S"}}], "0.v.devEui"),
        ({"serial": "at the top it would have been found"}, None),
        ({"a": {"b": "S"}}, None),
        (None, None),
    ],
)
def test_a_common_name_further_down_is_found_by_its_rank_and_then_its_depth(item: Item, path: str | None) -> None:
    assert find_common_below(SERIAL.ranks, item) == path


def test_a_huge_body_is_not_searched_to_its_end() -> None:
    item: dict[str, Any] = {f"key{number}": "x" for number in range(MOST_PATHS)} | {"devaddr": "S"}
    assert find_closest_path(("devadr",), item, {}) is None
    deep: Any = "S"
    for _ in range(5_000):
        deep = {"devaddr": deep}
    assert find_closest_path(("devadr",), deep, {}) is None


def test_of_many_that_are_alike_the_likeliest_is_found() -> None:
    item = {f"channel{number}": "x" for number in range(100)} | {"devaddr": "S"} | {f"rssi{n}": 1 for n in range(50)}
    assert find_closest_path(("devadr",), item, {}) == "devaddr"
    assert find_closest_path(("chanel57",), item, {}) == "channel57"
