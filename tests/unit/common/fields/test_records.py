"""From one uplink to the records that TagoIO stores."""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.envelope import Envelope, Item, Query, Uplink
from common.fields.field_map import FieldMap, parse_field_map
from common.fields.finding import Found, find_payload, find_port, find_serial, find_time
from common.fields.number import read_number
from common.fields.records import MappedFields, Record, Unmappable, map_fields
from common.reason import Reason
from tests.support.uplinks import build_envelope

GROUP = "6a1f0c52d3b19e4477aa01c9"
ARRIVED_AT = datetime(2026, 11, 21, 1, 23, 45, 678901, tzinfo=UTC)
ARRIVAL = "2026-11-21T01:23:45.678901Z"

SEEDS_MAP = "serial=devaddr;payload=payload_raw;port=fport"


def test_serial_payload_and_port_come_first_and_the_other_fields_in_their_order() -> None:
    item = {"rssi": -3, "fport": "10", "snr": 7.5, "payload_raw": "0011AAB", "devaddr": "12BAB34B54", "ok": True}
    mapped = _map(item, text=SEEDS_MAP)
    assert mapped.serial == "12BAB34B54"
    assert mapped.carries_payload
    assert mapped.records == [
        {"variable": "serial", "value": "12BAB34B54", "group": GROUP, "time": ARRIVAL},
        {"variable": "payload", "value": "0011AAB", "group": GROUP, "time": ARRIVAL},
        {"variable": "port", "value": 10, "group": GROUP, "time": ARRIVAL},
        {"variable": "rssi", "value": -3, "group": GROUP, "time": ARRIVAL},
        {"variable": "snr", "value": 7.5, "group": GROUP, "time": ARRIVAL},
        {"variable": "ok", "value": True, "group": GROUP, "time": ARRIVAL},
    ]


@pytest.mark.parametrize(
    ("fields", "values"),
    [
        ({"object": {"deep": {"level": 1}}}, [("object_deep_level", 1)]),
        ({"arr": [5, [6], {"x": 7}]}, [("arr_0", 5), ("arr_1_0", 6), ("arr_2_x", 7)]),
        ({"a": {"x": 1}, "b": {"x": 2}}, [("a_x", 1), ("b_x", 2)]),
        ({"a": None, "b": {}, "c": [], "d": [None]}, []),
        ({"a": "", "b": 0, "c": False, "d": 0.0}, [("a", ""), ("b", 0), ("c", False), ("d", 0.0)]),
        ({"Spread Factor": 7, "a.b-c": 1, "Ärger": 2}, [("spread_factor", 7), ("a_b_c", 1), ("ärger", 2)]),
        ({"": 1}, [("_", 1)]),
        ({"n": 2**64 - 1, "m": -(2**63)}, [("n", 2**64 - 1), ("m", -(2**63))]),
        ({"port": {"a": 1}}, [("port_a", 1)]),
        ({"port": "ten"}, [("port", "ten")]),
        ({"payload": {"battery": 3.6}}, [("payload_battery", 3.6)]),
    ],
)
def test_every_other_field_becomes_a_variable(fields: dict[str, Any], values: list[tuple[str, Any]]) -> None:
    records = _rest(fields)
    assert [(record["variable"], record["value"]) for record in records] == values
    assert [type(record["value"]) for record in records] == [type(value) for _, value in values]
    assert all("location" not in record and "metadata" not in record for record in records)


@pytest.mark.parametrize(
    ("fields", "variable", "value", "location"),
    [
        ({"latitude": 35.77, "longitude": -78.67}, "location", "35.77, -78.67", {"lat": 35.77, "lng": -78.67}),
        ({"LAT": "1", "LNG": "104"}, "location", "1, 104", {"lat": 1, "lng": 104}),
        ({"lat": 0, "lng": 0}, "location", "0, 0", {"lat": 0, "lng": 0}),
        ({"gps": {"lat": 1.5, "lng": 2}}, "gps_location", "1.5, 2", {"lat": 1.5, "lng": 2}),
        (
            {"rx": [{"location": {"latitude": 1, "longitude": 2}}]},
            "rx_0_location_location",
            "1, 2",
            {"lat": 1, "lng": 2},
        ),
    ],
)
def test_coordinates_become_one_location(
    fields: dict[str, Any], variable: str, value: str, location: dict[str, float]
) -> None:
    expected = {"variable": variable, "value": value, "group": GROUP, "time": ARRIVAL, "location": location}
    assert _rest(fields) == [expected]


def test_only_the_first_pair_of_a_level_is_a_location() -> None:
    records = _rest({"lat": 1, "lng": 2, "latitude": 3, "longitude": 4, "Latitude": 5})
    assert [(record["variable"], record["value"]) for record in records] == [
        ("lat", 1),
        ("lng", 2),
        ("location", "3, 4"),
        ("latitude", 5),
    ]


def test_half_a_pair_and_a_place_off_the_globe_stay_variables() -> None:
    records = _rest({"a": {"lat": 1, "longitude": 2}, "b": {"lat": 91, "lng": 2}, "c": {"lat": "n/a", "lng": 2}})
    assert [record["variable"] for record in records] == ["a_lat", "a_longitude", "b_lat", "b_lng", "c_lat", "c_lng"]


def test_a_serial_that_is_also_a_latitude_makes_no_location() -> None:
    mapped = _map({"lat": "12", "lng": 2}, text="serial=lat")
    assert [record["variable"] for record in mapped.records] == ["serial", "lng"]


def test_two_fields_of_one_name_are_both_kept_and_the_later_says_which_it_was() -> None:
    records = _rest({"a_b": 1, "a": {"b": 2, "B": 3}, "A.b": 4})
    assert [(record["variable"], record["value"], record.get("metadata")) for record in records] == [
        ("a_b", 1, None),
        ("a_b", 2, {"field": "a.b"}),
        ("a_b", 3, {"field": "a.B"}),
        ("a_b", 4, {"field": "A.b"}),
    ]


def test_a_field_named_like_serial_payload_or_port_is_kept_beside_them() -> None:
    item = {"devaddr": "S", "payload_raw": "0A", "fport": 1, "serial": "T", "payload": "0B", "Port": 2}
    records = _map(item, text=SEEDS_MAP).records
    assert [(record["variable"], record["value"], record.get("metadata")) for record in records] == [
        ("serial", "S", None),
        ("payload", "0A", None),
        ("port", 1, None),
        ("serial", "T", {"field": "serial"}),
        ("payload", "0B", {"field": "payload"}),
        ("port", 2, {"field": "Port"}),
    ]


def test_a_location_beside_a_field_of_that_name_says_which_keys_it_was() -> None:
    records = _rest({"gps": {"location": "roof", "Lat": 1, "lng": 2}})
    assert records[0]["value"] == "roof"
    assert records[1]["location"] == {"lat": 1, "lng": 2}
    assert records[1]["metadata"] == {"field": "gps.Lat,lng"}


def test_two_long_names_stay_apart_without_a_note() -> None:
    records = _rest({"k" * 120: {"a": 1, "b": 2}})
    assert len({record["variable"] for record in records}) == 2
    assert all(len(record["variable"]) == 100 and "metadata" not in record for record in records)


@pytest.mark.parametrize(
    ("fields", "text", "time", "variables"),
    [
        ({"x": 1}, "", ARRIVAL, ["x"]),
        ({"x": 1, "time": 1772619753.5}, "", "2026-03-04T10:22:33.500000Z", ["x"]),
        ({"time": "2026-03-04T10:22:33"}, "", "2026-03-04T10:22:33.000000Z", []),
        ({"time": "soon"}, "", ARRIVAL, ["time"]),
        ({"time": True}, "", ARRIVAL, ["time"]),
        ({"time": "2026-11-23T00:00:00Z"}, "", ARRIVAL, ["time"]),
        ({"meta": {"at": "1772619753"}, "time": 5}, "time=meta.at", "2026-03-04T10:22:33.000000Z", ["time"]),
        ({"meta": {"at": {}}, "time": 5}, "time=meta.at", ARRIVAL, ["time"]),
        ({"sub": {"time": 1772619753}}, "", ARRIVAL, ["sub_time"]),
    ],
)
def test_every_record_has_the_time_of_the_uplink_or_else_of_its_arrival(
    fields: dict[str, Any], text: str, time: str, variables: list[str]
) -> None:
    mapped = _map({"serial": "S", **fields}, text=text)
    assert {record["time"] for record in mapped.records} == {time}
    assert [record["variable"] for record in mapped.records[1:]] == variables


def test_an_uplink_without_a_serial_is_unmappable_and_says_what_was_looked_for() -> None:
    unmappable = _attempt({"device": {"eui": 1}}, text="serial=device.id")
    assert isinstance(unmappable, Unmappable)
    assert unmappable.reason is Reason.SERIAL_MISSING
    assert "'device' has 'eui' and no 'id'" in unmappable.detail


@pytest.mark.parametrize(("length", "character"), [(6_144, "x"), (3_072, "é"), (1_536, "\N{GRINNING FACE}")])
def test_a_string_of_6144_bytes_is_taken_and_one_character_more_is_refused(length: int, character: str) -> None:
    assert _rest({"note": character * length})[0]["value"] == character * length
    unmappable = _attempt({"serial": "S", "Meta": {"note": character * (length + 1)}})
    assert isinstance(unmappable, Unmappable)
    assert unmappable.reason is Reason.VALUE_REFUSED
    assert "'meta_note' (field 'Meta.note')" in unmappable.detail
    assert character * 10 not in unmappable.detail


@pytest.mark.parametrize("item", [{"serial": "S" * 6_145}, {"serial": "S", "data": "0" * 6_145}])
def test_serial_and_payload_have_the_same_limit(item: Item) -> None:
    unmappable = _attempt(item)
    assert isinstance(unmappable, Unmappable)
    assert unmappable.reason is Reason.VALUE_REFUSED


def test_an_uplink_with_more_values_than_a_post_can_hold_is_refused() -> None:
    assert len(_map({"serial": "S", "a": [0] * 2_099}).records) == 2_100
    unmappable = _attempt({"serial": "S", "a": [0] * 2_100})
    assert isinstance(unmappable, Unmappable)
    assert unmappable.reason is Reason.VALUE_REFUSED


@pytest.mark.parametrize(("payload", "value"), [("CgsMDQ==", "0a0b0c0d"), ("-_8", "fbff"), ("", "")])
def test_a_payload_in_base64_becomes_hexadecimal(payload: str, value: str) -> None:
    mapped = _map({"serial": "S", "data": payload}, text="encoding=base64")
    assert [record["value"] for record in mapped.records] == ["S", value]
    assert mapped.carries_payload


def test_a_payload_that_does_not_decode_is_refused_with_its_field() -> None:
    unmappable = _attempt({"serial": "S", "a": {"b": "0x0A!"}}, text="payload=a.b;encoding=base64")
    assert isinstance(unmappable, Unmappable)
    assert unmappable.reason is Reason.VALUE_REFUSED
    assert "'a.b'" in unmappable.detail
    assert "0x0A!" not in unmappable.detail


def test_a_decoded_payload_counts_with_its_decoded_length() -> None:
    unmappable = _attempt({"serial": "S", "data": "AAAA" * 1_025}, text="encoding=base64")
    assert isinstance(unmappable, Unmappable)
    assert "6,150 bytes" in unmappable.detail


def test_a_payload_that_is_an_object_is_no_raw_payload() -> None:
    assert not _map({"serial": "S", "payload": {"x": 1}}).carries_payload


def test_without_a_body_the_query_parameters_are_the_fields() -> None:
    query: Query = {"lat": "1", "device": "1CB0B8", "data": "81543795", "lng": "104", "port": "7", "arr": ["x", "y"]}
    mapped = _map(None, query=query)
    assert mapped.serial == "1CB0B8"
    assert [(record["variable"], record["value"]) for record in mapped.records] == [
        ("serial", "1CB0B8"),
        ("payload", "81543795"),
        ("port", 7),
        ("location", "1, 104"),
        ("arr_0", "x"),
        ("arr_1", "y"),
    ]


def test_of_a_parameter_that_came_twice_only_the_first_is_the_serial() -> None:
    mapped = _map(None, query={"dev.eui": ["S", "T"], "time": ["1772619753", "x"]}, text="serial=dev.eui")
    assert [(record["variable"], record["value"]) for record in mapped.records] == [
        ("serial", "S"),
        ("dev_eui_1", "T"),
        ("time_1", "x"),
    ]
    assert mapped.records[0]["time"] == "2026-03-04T10:22:33.000000Z"


def test_with_a_body_the_query_gives_only_what_is_looked_for() -> None:
    query: Query = {"device": "S", "data": "0A", "port": "7", "other": "x"}
    mapped = _map({"device": {"name": "probe"}, "data": 5, "port": None, "x": 1}, query=query)
    assert [(record["variable"], record["value"]) for record in mapped.records] == [
        ("serial", "S"),
        ("payload", "0A"),
        ("port", 7),
        ("device_name", "probe"),
        ("data", 5),
        ("x", 1),
    ]


def test_an_array_that_is_one_uplink_is_flattened_by_number() -> None:
    mapped = _map([{"bn": "urn:1:", "n": "t", "v": 4.25}, {"n": "h", "v": 61}], text="array=one;serial=0.bn")
    assert [(record["variable"], record["value"]) for record in mapped.records] == [
        ("serial", "urn:1:"),
        ("0_n", "t"),
        ("0_v", 4.25),
        ("1_n", "h"),
        ("1_v", 61),
    ]


def test_the_uplink_is_left_as_it_was() -> None:
    item = {"serial": "S", "gps": {"lat": 1, "lng": 2}, "arr": [1, None], "time": 5}
    before = orjson.dumps(item)
    _map(item)
    assert orjson.dumps(item) == before


def test_a_thousand_levels_are_mapped() -> None:
    item: Any = 1
    for _ in range(1_000):
        item = {"k": item}
    (record,) = _rest(item)
    assert record["value"] == 1
    assert len(record["variable"]) == 100


KEYS = st.one_of(
    st.sampled_from(
        ["", "a", "A", "a.b", "a_b", "a b", "$-*?!<>=", "k" * 150, "lat", "Lng", "LATITUDE", "longitude", "location"]
    ),
    st.sampled_from(["serial", "Payload", "data", "PORT", "time", "Time", "0", "\N{NO-BREAK SPACE}", "Σ", "İ"]),
    st.text(max_size=8),
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.integers(-200, 200),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.sampled_from(["12.5", "-7", "2026-03-04T10:22:33Z", "1772619753", "CgsMDQ=="]),
)
CONTAINERS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=30,
)
OBJECTS = st.dictionaries(KEYS, CONTAINERS, max_size=8)
QUERIES = st.dictionaries(KEYS, st.text(max_size=12) | st.lists(st.text(max_size=12), min_size=2, max_size=3))
MAPS = st.sampled_from(["", "serial=id", "serial=id;payload=a.b;port=a.0;time=time", "serial=id;payload=0"])


@settings(deadline=None)
@given(item=OBJECTS, query=QUERIES, text=MAPS)
def test_any_object_gives_records_that_tagoio_takes_and_loses_no_value(
    item: dict[str, Any], query: dict[str, str | list[str]], text: str
) -> None:
    field_map = parse_field_map(text)
    item = {**item, "serial": "SN-1", "id": "SN-2"}
    mapped = _map(item, query=query, text=text)
    _check_form(mapped)
    _check_nothing_is_lost(field_map, item, query, mapped)


@settings(deadline=None)
@given(query=QUERIES, text=st.sampled_from(["", "serial=id"]))
def test_any_query_without_a_body_loses_no_value_either(query: dict[str, str | list[str]], text: str) -> None:
    query = {**query, "serial": "SN-1", "id": ["SN-2", "SN-3"]}
    mapped = _map(None, query=query, text=text)
    _check_form(mapped)
    _check_nothing_is_lost(parse_field_map(text), None, query, mapped)


@settings(deadline=None)
@given(item=OBJECTS | st.lists(CONTAINERS, max_size=4), query=QUERIES, text=MAPS)
def test_nothing_that_comes_makes_the_mapping_raise(item: Item, query: dict[str, str | list[str]], text: str) -> None:
    mapped = _attempt(item, query=query, text=f"encoding=base64;serial_encoding=base64;{text}")
    if isinstance(mapped, Unmappable):
        assert mapped.reason in {Reason.SERIAL_MISSING, Reason.VALUE_REFUSED}
        assert mapped.detail
    else:
        _check_form(mapped)


def _check_form(mapped: MappedFields) -> None:
    """Check what section 3 of the wire's contract asks of every record."""
    named: set[str] = set()
    for record in mapped.records:
        variable, value = record["variable"], record["value"]
        assert 1 <= len(variable) <= 100
        assert variable == variable.lower()
        assert not re.search(r"[*?!<>.\-=$\s]", variable)
        assert type(value) in {str, int, float, bool}
        assert not isinstance(value, str) or len(value.encode()) <= 6_144
        assert record["group"] == GROUP
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", record["time"])
        assert ("metadata" in record) == (variable in named)
        named.add(variable)
    assert len({record["time"] for record in mapped.records}) == 1
    assert mapped.records[0]["variable"] == "serial"
    assert orjson.loads(orjson.dumps(mapped.records)) == mapped.records


def _check_nothing_is_lost(field_map: FieldMap, item: Item, query: Query, mapped: MappedFields) -> None:
    """Check that each value that did not become serial, payload, port or time is told; a location tells two."""
    head = [
        find_serial(field_map, item, query),
        find_payload(field_map, item, query),
        find_port(field_map, item, query),
    ]
    time = find_time(field_map, item, query, ARRIVED_AT)
    taken = [found.path for found in [*head, time] if isinstance(found, Found) and found.in_query == (item is None)]
    fields = dict(_leaves(query if item is None else item))
    for path in taken:
        fields.pop(path, None) if item is not None or path in fields else fields.pop((*path, "0"), None)

    rest = mapped.records[sum(isinstance(found, Found) for found in head) :]
    locations = [record["location"] for record in rest if "location" in record]
    told = Counter(repr(record["value"]) for record in rest if "location" not in record)
    sent = Counter(map(repr, fields.values()))
    assert not told - sent
    halves = sorted(_number(text) for text in (sent - told).elements())
    assert halves == sorted(half for location in locations for half in (location["lat"], location["lng"]))


def _leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    match value:
        case None:
            return
        case dict():
            for key, member in value.items():
                yield from _leaves(member, (*path, key))
        case list():
            for index, member in enumerate(value):
                yield from _leaves(member, (*path, str(index)))
        case _:
            yield path, value


def _number(text: str) -> float:
    number = read_number(text.strip("'"))
    assert number is not None
    return number


def _uplink(item: Item, query: Query) -> Uplink:
    return Envelope(GROUP, "factory", ARRIVED_AT, query, [(3, item)]).uplinks()[0]


def _attempt(item: Item, *, query: Query | None = None, text: str = "") -> MappedFields | Unmappable:
    return map_fields(parse_field_map(text), _uplink(item, query or {}))


def _map(item: Item, *, query: Query | None = None, text: str = "") -> MappedFields:
    mapped = _attempt(item, query=query, text=text)
    assert isinstance(mapped, MappedFields), mapped
    return mapped


def _rest(fields: dict[str, Any]) -> list[Record]:
    """Give the records of the fields that are neither serial, payload nor port."""
    mapped = _map({"imei": 867648042712345, **fields}, text="serial=imei")
    return mapped.records[1:]


@pytest.mark.parametrize("item", [{"serial": "A", "payload": 12345}, {"serial": "A", "PAYLOAD": "00"}])
def test_any_variable_that_a_parser_would_take_for_the_payload_keeps_the_uplink_apart(item: dict[str, Any]) -> None:
    mapped = map_fields(parse_field_map("payload=data"), build_envelope(item).uplinks()[0])
    assert isinstance(mapped, MappedFields)
    assert mapped.carries_payload
