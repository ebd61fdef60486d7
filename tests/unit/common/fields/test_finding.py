"""How the fields of an uplink are found, and what is said of one that is not there."""

from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest

from common.envelope import Item, Query
from common.fields.encoding import PayloadEncoding
from common.fields.field_map import FieldMap, parse_field_map
from common.fields.finding import (
    Found,
    Missing,
    bears_serial,
    find_payload,
    find_payload_encoding,
    find_port,
    find_serial,
    find_time,
)

ARRIVED_AT = datetime(2026, 11, 21, 1, 23, 45, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "item", "query", "found"),
    [
        ("serial=devaddr", {"devaddr": "12BAB34B54"}, {}, Found("12BAB34B54", ("devaddr",), in_query=False)),
        ("serial=a.b", {"a": {"b": "S"}}, {}, Found("S", ("a", "b"), in_query=False)),
        ("serial=a.1.b", {"a": [{}, {"b": "S"}]}, {}, Found("S", ("a", "1", "b"), in_query=False)),
        ("serial=a.1", {"a": {"1": "S"}}, {}, Found("S", ("a", "1"), in_query=False)),
        ("serial=0.bn;array=one", [{"bn": "S"}], {}, Found("S", ("0", "bn"), in_query=False)),
        ("serial=a", {"a": "S"}, {"a": "Q"}, Found("S", ("a",), in_query=False)),
        ("serial=a", {}, {"a": "Q"}, Found("Q", ("a",), in_query=True)),
        ("serial=a", {"a": None}, {"a": "Q"}, Found("Q", ("a",), in_query=True)),
        ("serial=a", {"a": {}}, {"a": ["Q", "R"]}, Found("Q", ("a",), in_query=True)),
        ("serial=a.b", {}, {"a.b": "Q"}, Found("Q", ("a.b",), in_query=True)),
        ("serial=a.b", None, {"a.b": "Q"}, Found("Q", ("a.b",), in_query=True)),
        ("serial=0.bn;array=one", [{}], {"0.bn": "Q"}, Found("Q", ("0.bn",), in_query=True)),
        ("", {"Serial": "S"}, {}, Found("S", ("Serial",), in_query=False)),
        ("", {"eui": "E", "device": "D"}, {}, Found("D", ("device",), in_query=False)),
        ("", {"device": {"eui": 1}, "eui": "E"}, {}, Found("E", ("eui",), in_query=False)),
        ("", {"serial": " ", "SERIAL": "S"}, {}, Found("S", ("SERIAL",), in_query=False)),
        ("", {"rssi": 1}, {"DevEUI": "Q"}, Found("Q", ("DevEUI",), in_query=True)),
        ("", {"imsi": "S"}, {"serial": "Q"}, Found("S", ("imsi",), in_query=False)),
        ("", None, {"device": ["Q", "R"]}, Found("Q", ("device",), in_query=True)),
        ("", [{"serial": "S"}], {"imei": "Q"}, Found("Q", ("imei",), in_query=True)),
        ("payload=p", {"serial": "S"}, {}, Found("S", ("serial",), in_query=False)),
    ],
)
def test_a_serial_is_found_by_its_path_or_a_common_name_in_the_body_and_then_in_the_query(
    text: str, item: Item, query: Query, found: Found[str]
) -> None:
    field_map = parse_field_map(text)
    assert find_serial(field_map, item, query) == found
    assert bears_serial(field_map, item) == (field_map.serial is None and not found.in_query)


@pytest.mark.parametrize(
    ("value", "serial"),
    [
        ("AA-BB-01", "AA-BB-01"),
        (" 12 ", "12"),
        (0, "0"),
        (867648042712345, "867648042712345"),
        (2**64 - 1, str(2**64 - 1)),
    ],
)
def test_a_serial_is_a_string_or_an_integer(value: object, serial: str) -> None:
    assert find_serial(FieldMap(), {"serial": value}, {}) == Found(serial, ("serial",), in_query=False)


@pytest.mark.parametrize("value", [None, "", " \t", True, False, 1.5, 1e22, 2**64, {}, {"a": 1}, [], ["S"]])
def test_anything_else_is_no_serial(value: object) -> None:
    assert isinstance(find_serial(FieldMap(), {"serial": value}, {}), Missing)
    assert not bears_serial(FieldMap(), {"serial": value})
    assert isinstance(find_serial(FieldMap(serial=("a", "b")), {"a": {"b": value}}, {}), Missing)


@pytest.mark.parametrize(
    "name",
    [
        *("serial", "serial_number", "device", "device_id", "deviceId", "deveui", "dev_eui", "hardware_serial"),
        *("eui", "imei", "imsi"),
    ],
)
def test_each_common_name_of_a_serial_is_known_in_any_case(name: str) -> None:
    for key in (name, name.upper(), name.title()):
        assert find_serial(FieldMap(), {"rssi": -3, key: "S"}, {}) == Found("S", (key,), in_query=False)
        assert find_serial(FieldMap(), {"rssi": -3}, {key: "S"}) == Found("S", (key,), in_query=True)


@pytest.mark.parametrize("name", ["payload", "payload_hex", "payload_raw", "data", "frm_payload", "dataFrame", "pdu"])
def test_each_common_name_of_a_payload_is_known_in_any_case(name: str) -> None:
    for key in (name, name.upper(), name.title()):
        assert find_payload(FieldMap(), {"rssi": -3, key: "0A"}, {}) == Found("0A", (key,), in_query=False)
        assert find_payload(FieldMap(), {"rssi": -3}, {key: "0A"}) == Found("0A", (key,), in_query=True)


@pytest.mark.parametrize("name", ["port", "fport", "f_port"])
def test_each_common_name_of_a_port_is_known_in_any_case(name: str) -> None:
    for key in (name, name.upper(), name.title()):
        assert find_port(FieldMap(), {"rssi": -3, key: 7}, {}) == Found(7, (key,), in_query=False)
        assert find_port(FieldMap(), {"rssi": -3}, {key: "7"}) == Found(7, (key,), in_query=True)


@pytest.mark.parametrize(
    ("names", "find", "value"),
    [
        (
            "serial serial_number device device_id deviceId deveui dev_eui hardware_serial eui imei imsi",
            find_serial,
            "S",
        ),
        ("payload payload_hex payload_raw data frm_payload dataFrame pdu", find_payload, "0A"),
        ("port fport f_port", find_port, 7),
    ],
)
def test_common_names_are_tried_in_their_order_whatever_the_order_of_the_fields(
    names: str, find: Any, value: object
) -> None:
    item = dict.fromkeys(reversed(names.split()), value)
    for name in names.split():
        assert find(FieldMap(), item, {}) == Found(value, (name,), in_query=False)
        del item[name]
    assert isinstance(find(FieldMap(), item, {}), Missing)


def test_a_name_that_the_map_gives_is_not_looked_for_anywhere_else() -> None:
    field_map = parse_field_map("serial=a;payload=b;port=c;time=d")
    item = {"serial": "S", "payload": "0A", "port": 1, "time": 1}
    assert isinstance(find_serial(field_map, item, {}), Missing)
    assert isinstance(find_payload(field_map, item, {}), Missing)
    assert isinstance(find_port(field_map, item, {}), Missing)
    assert isinstance(find_time(field_map, item, {}, ARRIVED_AT), Missing)


@pytest.mark.parametrize("path", ["a.2", "a.-1", "a.01", "a.x", "a.9999999999", "a.0.b.c", "0", "x.y"])
def test_a_path_that_leads_nowhere_finds_nothing(path: str) -> None:
    item = {"a": [{"b": "S"}, "T"], "x": "S"}
    assert isinstance(find_serial(parse_field_map(f"serial={path}"), item, {}), Missing)


@pytest.mark.parametrize("value", ["", "0011AAB", "not hex"])
def test_any_string_is_a_payload_as_it_came(value: str) -> None:
    assert find_payload(FieldMap(), {"payload": value}, {}) == Found(value, ("payload",), in_query=False)


@pytest.mark.parametrize("value", [None, 10, 1.5, True, {"battery": 3}, ["0A"]])
def test_anything_else_is_no_payload_and_the_next_name_is_tried(value: object) -> None:
    item = {"payload": value, "data": "0A"}
    assert find_payload(FieldMap(), item, {}) == Found("0A", ("data",), in_query=False)


@pytest.mark.parametrize(("value", "port"), [(0, 0), (10, 10), (10.0, 10), ("10", 10), (" 10 ", 10), ("10.0", 10)])
def test_a_port_becomes_an_integer(value: object, port: int) -> None:
    found = find_port(FieldMap(), {"port": value}, {})
    assert found == Found(port, ("port",), in_query=False)
    assert type(found.value) is int


@pytest.mark.parametrize("value", [None, True, False, 1.5, "1.5", "", "ten", "nan", {}, [1], 1e300, 2**63])
def test_anything_else_is_no_port(value: object) -> None:
    assert isinstance(find_port(FieldMap(), {"port": value}, {}), Missing)


@pytest.mark.parametrize(
    ("text", "item", "query", "path", "in_query"),
    [
        ("", {"time": 1772619753}, {}, ("time",), False),
        ("", {"Time": "2026-03-04T10:22:33Z"}, {}, ("Time",), False),
        ("", {"time": "never", "TIME": 1772619753}, {}, ("TIME",), False),
        ("time=meta.0.at", {"meta": [{"at": 1772619753}], "time": 1}, {}, ("meta", "0", "at"), False),
        ("", None, {"time": "1772619753"}, ("time",), True),
    ],
)
def test_a_time_is_found_at_the_top_unless_the_map_says_where(
    text: str, item: Item, query: Query, path: tuple[str, ...], *, in_query: bool
) -> None:
    found = find_time(parse_field_map(text), item, query, ARRIVED_AT)
    assert found == Found(datetime(2026, 3, 4, 10, 22, 33, tzinfo=UTC), path, in_query)


@pytest.mark.parametrize(
    ("serial", "eui"),
    [
        ("cLPV514KGwM=", "70b3d5e75e0a1b03"),
        ("cLPV5_4KGwM=", "70b3d5e7fe0a1b03"),
        ("70b3d5e75e0a1b03", "70b3d5e75e0a1b03"),
        ("70B3D5E75E0A1B03", "70B3D5E75E0A1B03"),
        ("cLPV514KGwM", "cLPV514KGwM"),
        ("cLPV514KGw==", "cLPV514KGw=="),
        ("AA:BB:CC:DD=", "AA:BB:CC:DD="),
        ("867648042712", "867648042712"),
    ],
)
def test_a_serial_of_eight_bytes_in_base64_becomes_an_eui_and_any_other_stays(serial: str, eui: str) -> None:
    assert find_serial(parse_field_map("serial_encoding=base64"), {"devEUI": serial}, {}) == Found(
        eui, ("devEUI",), in_query=False
    )


MANY = {f"k{number}": 1 for number in range(25)}


@pytest.mark.parametrize(
    ("text", "item", "query", "parts"),
    [
        (
            "serial=deviceInfo.devEui",
            {"deviceInfo": {"deviceName": "x", "tags": {}}},
            {},
            ["'deviceInfo' has 'deviceName', 'tags' and no 'devEui'", "the query has no 'deviceInfo.devEui'"],
        ),
        ("serial=devEui", {"a": 1}, {}, ["the body has 'a' and no 'devEui'"]),
        ("serial=devEui", {}, {}, ["the body has no keys and no 'devEui'"]),
        ("serial=k.x", {"k": MANY}, {}, ["'k0', 'k1'", "'k9' and 15 more and no 'x'"]),
        ("serial=a.2.b", {"a": [1, 2]}, {}, ["'a' is an array of 2 and has no member '2'"]),
        ("serial=a.b.c", {"a": {"b": 1}}, {}, ["'a.b' holds an integer and so no 'c'"]),
        ("serial=a.b", {"a": None}, {}, ["'a' holds null and so no 'b'"]),
        (
            "serial=devaddr",
            {"devaddr": {"x": 1}},
            {},
            ["'devaddr' holds an object (a serial is a non-empty string or an integer of at most 64 bits)"],
        ),
        ("serial=a", {"a": ""}, {}, ["'a' holds an empty string"]),
        ("serial=a", {"a": 2**70}, {}, ["'a' holds an integer of 71 bits"]),
        ("serial=a", {"a": True}, {}, ["'a' holds a boolean"]),
        ("serial=a", {"a": 1.5}, {}, ["'a' holds a number"]),
        ("serial=a", {"a": ["S"]}, {}, ["'a' holds an array"]),
        ("serial=a", {}, {"a": [" ", "S"]}, ["'a' in the query holds an empty string"]),
        ("serial=a.b", None, {"x": "1"}, ["the request has no body", "the query has no 'a.b' among 'x'"]),
        (
            "",
            {"id": 1, "Device": {"eui": "E"}},
            {"EUI": ""},
            [
                "under a common name (serial, serial_number, device, device_id, deviceId, deveui,",
                "the body has 'id', 'Device'",
                "'Device' holds an object",
                "'EUI' holds an empty string",
                "can name its path (serial=Device.eui)",
            ],
        ),
        ("", None, {"x": "1"}, ["the request has no body, and the query has 'x'", "can name its path (serial=…)"]),
        ("serial=devadr", {"devaddr": "S", "rssi": 1}, {}, ["and no 'devadr'", "; did you mean 'devaddr'?"]),
        ("serial=devEui", {"deviceInfo": {"devEui": "S"}}, {}, ["; did you mean 'deviceInfo.devEui'?"]),
        ("serial=deviceinfo.devEui", {"deviceInfo": {"devEui": "S"}}, {}, ["; did you mean 'deviceInfo.devEui'?"]),
        ("serial=device", None, {"Device": "S"}, ["; did you mean 'Device'?"]),
        ("array=one;serial=0.eui", [{"EUI": "S"}], {}, ["; did you mean '0.EUI'?"]),
        ("array=one;serial=[n=id].v", [{"n": "x"}], {}, ["the body is an array of 1 and has no member '[n=id]'"]),
        ("array=one", [{"serial": "S"}], {}, ["the body is an array"]),
    ],
)
def test_a_missing_serial_is_explained_by_what_is_there_instead(
    text: str, item: Item, query: Query, parts: list[str]
) -> None:
    missing = find_serial(parse_field_map(text), item, query)
    assert isinstance(missing, Missing)
    assert missing.message.startswith("no serial ")
    for part in parts:
        assert part in missing.message


def test_other_missing_fields_are_explained_too() -> None:
    payload = find_payload(FieldMap(), {"payload": 5}, {})
    port = find_port(FieldMap(port=("p",)), {"p": "ten"}, {})
    time = find_time(FieldMap(), {"time": "soon"}, {}, ARRIVED_AT)
    assert isinstance(payload, Missing)
    assert isinstance(port, Missing)
    assert isinstance(time, Missing)
    assert "'payload' holds an integer (a payload is a string)" in payload.message
    assert "'p' holds a string (a port is a whole number" in port.message
    assert "'time' holds a string (a time is ISO 8601 or Unix time" in time.message


@pytest.mark.parametrize("text", ["", "serial=a.b", "serial=device", "serial=device.x", "serial=c.7"])
def test_no_explanation_repeats_a_value(text: str) -> None:
    item = {"device": {"x": {"y": "SECRET"}}, "a": "SECRET", "c": ["SECRET", 4711], "imei": 4711.5}
    missing = find_serial(parse_field_map(text), item, {"q": "SECRET", "eui": ["", "SECRET"]})
    assert isinstance(missing, Missing)
    for told in (missing.message, repr(missing)):
        assert "SECRET" not in told
        assert "4711" not in told


def test_an_explanation_stays_short_whatever_the_keys_are() -> None:
    spellings = map("".join, product(*zip("deveui", "DEVEUI", strict=True)))
    item = {f"{number}-{'k' * 50_000}": 1 for number in range(20)} | dict.fromkeys(spellings, 1.5)
    missing = find_serial(FieldMap(), item, {})
    assert isinstance(missing, Missing)
    assert len(missing.message) < 2_000


def test_where_a_path_was_right_and_its_value_is_not_no_other_is_proposed() -> None:
    missing = find_serial(parse_field_map("serial=device"), {"device": 1.5}, {})
    assert isinstance(missing, Missing)
    assert "did you mean" not in missing.message


@pytest.mark.parametrize(
    ("text", "item", "path"),
    [
        ("array=one;serial=[n=id].vs", [{"n": "x", "vs": "X"}, {"n": "id", "vs": "S"}], ("1", "vs")),
        ("serial=tags.[key=eui].value", {"tags": [{"key": "eui", "value": "S"}]}, ("tags", "0", "value")),
        ("serial=ids.eui|devEui", {"ids": {"devEui": "S"}}, ("ids", "devEui")),
        ("serial=ids.eui|devEui", {"ids": {"eui": None, "devEui": "S"}}, ("ids", "devEui")),
        ("serial=a|b.x", {"b": {"x": "S"}}, ("b", "x")),
        ("serial=a|b", {"a|b": "S", "b": "T"}, ("a|b",)),
    ],
)
def test_a_path_may_choose_and_what_was_found_says_what_it_chose(text: str, item: Item, path: tuple[str, ...]) -> None:
    assert find_serial(parse_field_map(text), item, {}) == Found("S", path, in_query=False)


@pytest.mark.parametrize(
    ("text", "said", "encoding"),
    [
        ("encoding_field=as", "HEXA", "hex"),
        ("encoding_field=as", "BASE64", "base64"),
        ("encoding_field=as;encoding=base64", "hex", "hex"),
        ("encoding_field=as;encoding=base64", "???", "base64"),
        ("encoding_field=as;encoding=base64", 16, "base64"),
        ("encoding_field=there.as;encoding=base64", "hex", "base64"),
        ("encoding=base64", "hex", "base64"),
        ("", "base64", "hex"),
    ],
)
def test_an_uplink_may_say_how_its_payload_is_encoded(text: str, said: object, encoding: PayloadEncoding) -> None:
    assert find_payload_encoding(parse_field_map(text), {"as": said}) == encoding
