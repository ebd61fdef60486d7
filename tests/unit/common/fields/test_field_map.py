"""The field map of a key: its text."""

import pytest

from common.fields.field_map import FieldMap, FieldMapError, parse_field_map, spell_field_map
from common.fields.presets import PRESETS
from common.fields.set_aside import Condition, SetAsideConditions

LORIOT_ASIDE = SetAsideConditions((Condition(("cmd",), "!=", "rx"),))


@pytest.mark.parametrize(
    ("text", "field_map"),
    [
        ("", FieldMap()),
        ("  ", FieldMap()),
        (
            "serial=devaddr;payload=payload_raw;port=fport",
            FieldMap(serial=("devaddr",), payload=("payload_raw",), port=("fport",)),
        ),
        (
            " serial = deviceInfo.serial ; port=a.0.b ; ",
            FieldMap(serial=("deviceInfo", "serial"), port=("a", "0", "b")),
        ),
        ("serial=Device EUI;", FieldMap(serial=("Device EUI",))),
        ("serial=a=b", FieldMap(serial=("a=b",))),
        ("time=meta.time;encoding=base64", FieldMap(time=("meta", "time"), encoding="base64")),
        ("encoding=hex", FieldMap()),
        ("array=one;serial=0.bn", FieldMap(serial=("0", "bn"), array_is_one=True)),
        ("serial_encoding=base64", FieldMap(serial_encoding="base64")),
        (
            "preset=loriot",
            FieldMap(("EUI",), ("data",), ("port",), ("ts",), set_aside=LORIOT_ASIDE, preset="loriot"),
        ),
        (
            "payload=encdata;preset=loriot;encoding=base64",
            FieldMap(("EUI",), ("encdata",), ("port",), ("ts",), "base64", set_aside=LORIOT_ASIDE, preset="loriot"),
        ),
        ("serial=[n=id].vs;port=a.p|q", FieldMap(serial=("[n=id]", "vs"), port=("a", "p|q"))),
        ("encoding_field=how.encoded", FieldMap(encoding_field=("how", "encoded"))),
        (
            "set_aside=join_accept, type = join,meta.cmd!=rx,[n=loc].vs,[n=kind].vs=x",
            FieldMap(
                set_aside=SetAsideConditions(
                    (
                        Condition(("join_accept",)),
                        Condition(("type",), "=", "join"),
                        Condition(("meta", "cmd"), "!=", "rx"),
                        Condition(("[n=loc]", "vs")),
                        Condition(("[n=kind]", "vs"), "=", "x"),
                    )
                )
            ),
        ),
    ],
)
def test_the_text_of_a_map_is_read(text: str, field_map: FieldMap) -> None:
    assert parse_field_map(text) == field_map


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("serial=a;paylod=b", 10, "there is no name 'paylod'; did you mean 'payload'? the names are serial, "),
        ("serial=a;  Port=b", 12, "there is no name 'Port'; did you mean 'port'?"),
        ("zzz=b", 1, "there is no name 'zzz'; the names are serial, payload"),
        ("=a", 1, "there is no name ''"),
        ("serial=a; payload", 11, "'payload' has no '='; write name=path"),
        ("serial=", 8, "'serial' has nothing after its '='"),
        ("serial= ;port=b", 9, "'serial' has nothing after its '='"),
        ("serial=a;;port=b", 10, "nothing before this semicolon"),
        (";serial=a", 1, "nothing before this semicolon"),
        ("serial=a; serial=b", 11, "'serial' is given a second time"),
        ("serial= a..b", 11, "a key is empty in the path 'a..b'"),
        ("serial=.a", 8, "a key is empty in the path '.a'"),
        ("serial=a.", 10, "a key is empty in the path 'a.'"),
        ("array=one;serial=[0].bn", 18, "'[0]' chooses no member of an array; write [name=value]"),
        ("array=one;serial=0.[n=a.b].v", 20, "'[n=a' chooses no member of an array"),
        ("set_aside=type=join,a..b", 23, "a key is empty in the path 'a..b'"),
        ("set_aside=a,,b", 13, "a key is empty in the path ''"),
        ("encoding=base32", 10, "'encoding' cannot be 'base32'; it can be hex or base64"),
        ("serial_encoding=hex", 17, "it can be base64"),
        ("array=many", 7, "it can be one"),
        ("preset=chirpstack", 8, "there is no preset 'chirpstack'; the closest are chirpstack-v4, chirpstack-v3"),
    ],
)
def test_a_faulty_text_is_refused_with_the_place_and_the_remedy(text: str, position: int, message: str) -> None:
    with pytest.raises(FieldMapError) as refusal:
        parse_field_map(text)
    assert refusal.value.position == position
    assert str(refusal.value).startswith(f"at character {position}: ")
    assert message in str(refusal.value)


@pytest.mark.parametrize(
    "text", ["", "serial=devaddr;payload=payload_raw;port=fport", *(f"preset={n}" for n in PRESETS)]
)
def test_a_map_is_spelled_as_a_text_that_makes_the_same_one(text: str) -> None:
    field_map = parse_field_map(text)
    spelled = parse_field_map(spell_field_map(field_map))
    assert spell_field_map(spelled) == spell_field_map(field_map)
    assert (spelled.serial, spelled.set_aside) == (field_map.serial, field_map.set_aside)
