"""Results as records: what TagoIO's rules let pass is coerced, the rest is refused or left for the rules of records."""

from typing import Any

import pytest

from registry.parsers.result import ResultRefusedError, coerce_records

PAYLOAD = [{"variable": "payload", "value": "00", "group": "g", "time": "2026-03-01T10:20:30Z"}]
KEPT = {"group": "g", "time": "2026-03-01T10:20:30Z"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"variable": "v", "value": 1}, {"variable": "v", "value": 1, **KEPT}),
        ({"variable": "v", "value": None, "unit": None}, {"variable": "v", **KEPT}),
        ({"variable": "v", "group": 17}, {"variable": "v", **KEPT, "group": "17"}),
        ({"variable": "v", "group": 1772360430000.0}, {"variable": "v", **KEPT, "group": "1772360430000"}),
        ({"variable": "v", "serie": 1.5}, {"variable": "v", **KEPT, "serie": "1.5", "group": "1.5"}),
        ({"variable": "v", "serie": "s", "group": "own"}, {"variable": "v", **KEPT, "serie": "s", "group": "own"}),
        ({"variable": "v", "time": 1772360430000}, {"variable": "v", **KEPT, "time": 1772360430000}),
        ({"variable": "Battery_V"}, {"variable": "battery_v", **KEPT}),
        ({"variable": "v", "group": True}, {"variable": "v", **KEPT, "group": True}),
        ({"variable": "v", "value": [1]}, {"variable": "v", "value": [1], **KEPT}),
        ({"variable": 5}, {"variable": 5, **KEPT}),
        ({}, KEPT),
    ],
)
def test_a_record_is_coerced(given: dict[str, Any], expected: dict[str, Any]) -> None:
    assert coerce_records([given], PAYLOAD) == [expected]


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ("text", {}),
        ({"group": "g"}, {}),
        ([], {}),
        ([5, {"variable": "a"}, {"serie": 3, "time": "t"}], {"group": "3", "time": "t"}),
    ],
)
def test_group_and_time_are_those_of_the_first_record_that_has_them(payload: Any, expected: dict[str, Any]) -> None:
    assert coerce_records([{"variable": "v"}], payload) == [{"variable": "v", **expected}]


@pytest.mark.parametrize("member", [None, 5, "x", [], True])
def test_what_is_no_object_is_refused_by_its_place(member: Any) -> None:
    with pytest.raises(ResultRefusedError, match="Record 1 must be an object"):
        coerce_records([{"variable": "v"}, member], PAYLOAD)
