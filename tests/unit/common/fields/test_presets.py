"""The presets, each against a sample of what its network server sends."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from common.envelope import Envelope, Query, Uplink
from common.fields.field_map import FieldMap, parse_field_map
from common.fields.finding import Missing, find_serial, find_set_aside
from common.fields.presets import PRESETS, closest_presets
from common.fields.records import MappedFields, Record, map_fields

DATA = Path(__file__).parents[3] / "data"
UPLINKS = DATA / "uplinks"
SET_ASIDE = DATA / "set_aside"

PAYLOAD = "0a0b0c0d"
TIME = "2026-03-04T10:22:33.500000Z"
ARRIVED_AT = datetime(2026, 11, 21, 1, 23, 45, tzinfo=UTC)

EXPECTED: dict[str, tuple[str, str | None, int | None, str]] = {
    "actility": ("70B3D5E75E0A1B01", "03ff10a2", 7, "2026-03-04T10:22:33.250000Z"),
    "aws-iot-core": ("70b3d5e75e0a1b02", PAYLOAD, 12, "2026-03-04T10:22:33.000000Z"),
    "chirpstack-v3": ("70b3d5e75e0a1b03", PAYLOAD, 3, "2026-03-04T10:22:33.123456Z"),
    "chirpstack-v4": ("70b3d5e75e0a1b04", PAYLOAD, 4, "2026-03-04T10:22:33.500250Z"),
    "everynet": ("70b3d5e75e0a1b05", PAYLOAD, 21, TIME),
    "helium": ("70B3D5E75E0A1B06", PAYLOAD, 2, TIME),
    "kerlink-wanesy": ("70B3D5E75E0A1B14", PAYLOAD, 11, TIME),
    "kpn-senml": ("urn:dev:DEVEUI:70B3D5E75E0A1B07:", PAYLOAD, 8, "2026-03-04T10:22:33.000000Z"),
    "loriot": ("70B3D5E75E0A1B08", PAYLOAD, 15, TIME),
    "machineq": ("70B3D5E75E0A1B09", PAYLOAD, 33, TIME),
    "milesight": ("70b3d5e75e0a1b0a", PAYLOAD, 85, TIME),
    "netmore": ("70b3d5e75e0a1b0b", PAYLOAD, 6, TIME),
    "objenious": ("70B3D5E75E0A1B0C", PAYLOAD, 9, TIME),
    "orbiwise": ("70b3d5e75e0a1b0d", PAYLOAD, 14, TIME),
    "sigfox": ("2E4F61", PAYLOAD, None, "2026-03-04T10:22:33.000000Z"),
    "tektelic": ("70B3D5E75E0A1B0E", "[10, 11, 12, 13]", 10, "2026-11-21T01:23:45.000000Z"),
    "thingpark-x": ("70B3D5E75E0A1B10", PAYLOAD, 17, TIME),
    "tts-v3": ("70B3D5E75E0A1B11", PAYLOAD, 18, "2026-03-04T10:22:33.512483Z"),
    "ttn-v2": ("70B3D5E75E0A1B13", PAYLOAD, 5, TIME),
}


def _load_others(name: str) -> Any:
    return orjson.loads((SET_ASIDE / f"{name}.json").read_bytes())


def test_every_preset_has_a_sample() -> None:
    assert EXPECTED.keys() == PRESETS.keys()


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_finds_serial_payload_port_and_time_where_its_server_puts_them(name: str) -> None:
    serial, payload, port, time = EXPECTED[name]
    mapped = _map(name, _load(name))
    head = [("serial", serial), ("payload", payload), ("port", port)]
    expected = [(variable, value) for variable, value in head if value is not None]
    assert [(record["variable"], record["value"]) for record in mapped.records[: len(expected)]] == expected
    assert {record["time"] for record in mapped.records} == {time}
    assert mapped.serial == serial
    assert mapped.carries_payload == (payload is not None)


@pytest.mark.parametrize("name", PRESETS)
def test_what_a_preset_finds_is_not_told_a_second_time(name: str) -> None:
    field_map = parse_field_map(f"preset={name}")
    paths = [field_map.serial, field_map.payload, field_map.port, field_map.time]
    mapped = _map(name, _load(name))
    head = sum(value is not None for value in EXPECTED[name][:3])
    told = {record["variable"] for record in mapped.records[head:]}
    assert told.isdisjoint("_".join(path).lower() for path in paths if path is not None)


def test_a_preset_text_is_a_whole_field_map() -> None:
    for name, preset in PRESETS.items():
        field_map = parse_field_map(preset.text)
        assert field_map.preset is None, name
        assert field_map.serial is not None, name


def test_chirpstack_v3_is_understood_with_an_eui_in_hexadecimal_as_well() -> None:
    item = _load("chirpstack-v3") | {"devEUI": "70b3d5e75e0a1b03"}
    assert _map("chirpstack-v3", item).serial == "70b3d5e75e0a1b03"


def test_chirpstack_v3_without_a_gateway_time_gets_the_time_of_arrival() -> None:
    item = _load("chirpstack-v3")
    item["rxInfo"][0]["time"] = None
    assert _map("chirpstack-v3", item).records[0]["time"] == "2026-11-21T01:23:45.000000Z"


def test_every_preset_with_conditions_has_samples_of_what_it_sets_aside() -> None:
    by_query = {"chirpstack-v3", "chirpstack-v4"}
    with_conditions = {name for name in PRESETS if parse_field_map(f"preset={name}").set_aside is not None}
    assert with_conditions == {path.stem for path in SET_ASIDE.iterdir()} | by_query


@pytest.mark.parametrize(
    ("name", "item"),
    [(path.stem, item) for path in sorted(SET_ASIDE.iterdir()) for item in _load_others(path.stem)],
)
def test_an_item_that_is_no_uplink_is_known_as_one(name: str, item: Any) -> None:
    assert find_set_aside(parse_field_map(f"preset={name}"), item, {}) is not None


@pytest.mark.parametrize("name", ["chirpstack-v3", "chirpstack-v4"])
@pytest.mark.parametrize("event", ["join", "ack", "txack", "log", "status", "location", "integration", "error"])
def test_chirpstack_says_in_the_query_what_an_item_is(name: str, event: str) -> None:
    assert _find_other(name, {"event": event}) == "event!=up"
    assert _find_other(name, {"event": "up"}) is None


@pytest.mark.parametrize("name", PRESETS)
def test_an_uplink_is_not_set_aside(name: str) -> None:
    assert _find_other(name, {}) is None


@pytest.mark.parametrize(("name", "other"), [(name, other) for name in PRESETS for other in EXPECTED if other != name])
def test_the_uplink_of_another_server_is_a_mistake_to_be_told_and_not_set_aside(name: str, other: str) -> None:
    field_map = parse_field_map(f"preset={name}")
    item = _load(other)
    if isinstance(find_serial(field_map, item, {}), Missing):
        assert find_set_aside(field_map, item, {}) is None


def test_wanesy_says_itself_how_the_payload_is_encoded() -> None:
    item = _load("kerlink-wanesy") | {"payload": "CgsMDQ==", "encodingType": "BASE64"}
    assert _by_variable(_map("kerlink-wanesy", item))["payload"]["value"] == PAYLOAD
    del item["encodingType"]
    assert _by_variable(_map("kerlink-wanesy", item))["payload"]["value"] == "CgsMDQ=="


def test_senml_records_stand_in_any_order_and_the_port_in_two_ways() -> None:
    base, port, temperature = _load("kpn-senml")
    head = {key: base.pop(key) for key in ("bn", "bt")}
    mapped = _by_variable(_map("kpn-senml", [head, temperature, {"n": "port", "vs": "8"}, base]))
    assert (mapped["payload"]["value"], mapped["port"]["value"]) == (PAYLOAD, 8)
    assert port == {"n": "port", "v": 8}


def test_senml_that_was_decoded_has_neither_payload_nor_port() -> None:
    mapped = _map("kpn-senml", [{"bn": "urn:dev:DVNUUID:1:", "bt": 1772619753, "n": "temperature", "v": 4.5}])
    assert not mapped.carries_payload


def test_the_second_name_of_a_tektelic_payload_is_known() -> None:
    item = _load("tektelic") | {"payload": {"data": "0A0B"}}
    assert _by_variable(_map("tektelic", item))["payload"]["value"] == "0A0B"


def test_a_decoded_payload_becomes_variables() -> None:
    mapped = _map("tektelic", _load("tektelic-decoded"))
    by_variable = _by_variable(mapped)
    assert by_variable["payload_dooropen"]["value"] is True
    assert by_variable["payload_openings"]["value"] == 3
    assert not mapped.carries_payload
    assert _by_variable(_map("thingpark-x", _load("thingpark-x")))["payload_level_value"]["value"] == 1.25


def test_the_text_of_a_key_may_replace_parts_of_a_preset() -> None:
    item = _load("actility")
    mapped = map_fields(parse_field_map("preset=actility;serial=DevEUI_uplink.DevAddr;encoding=hex"), _uplink(item))
    assert isinstance(mapped, MappedFields)
    assert mapped.serial == "0412AC90"
    assert _by_variable(mapped)["payload"]["value"] == "03ff10a2"


def test_a_key_may_say_itself_what_is_set_aside() -> None:
    [location] = [item for item in _load_others("tts-v3") if "location_solved" in item]
    field_map = parse_field_map("preset=tts-v3;set_aside=join_accept,downlink_ack")
    assert find_set_aside(field_map, location, {}) is None
    mapped = map_fields(field_map, _uplink(location))
    assert isinstance(mapped, MappedFields)
    assert _by_variable(mapped)["location_solved_location_location"]["location"] == {"lat": 45.46, "lng": 9.19}


@pytest.mark.parametrize(
    ("name", "closest"),
    [("chirpstack-v5", "chirpstack-v4"), ("TTS-V3", "tts-v3"), ("lorriot", "loriot"), ("netmor", "netmore")],
)
def test_the_closest_preset_comes_first(name: str, closest: str) -> None:
    assert closest_presets(name)[0] == closest


def test_where_no_preset_is_close_all_are_named() -> None:
    assert closest_presets("????") == list(PRESETS)


def _load(name: str) -> Any:
    return orjson.loads((UPLINKS / f"{name}.json").read_bytes())


def _find_other(name: str, query: Query) -> str | None:
    condition = find_set_aside(parse_field_map(f"preset={name}"), _load(name), query)
    return None if condition is None else str(condition)


def _uplink(item: Any) -> Uplink:
    return Envelope("6a1f0c52d3b19e4477aa01c9", "key", ARRIVED_AT, {}, [(0, item)]).uplinks()[0]


def _map(preset: str, item: Any) -> MappedFields:
    field_map = parse_field_map(f"preset={preset}")
    assert field_map.array_is_one == isinstance(item, list)
    assert field_map != FieldMap()
    mapped = map_fields(field_map, _uplink(item))
    assert isinstance(mapped, MappedFields), mapped
    return mapped


def _by_variable(mapped: MappedFields) -> dict[str, Record]:
    return {record["variable"]: record for record in mapped.records}
