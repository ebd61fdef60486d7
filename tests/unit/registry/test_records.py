"""Every limit of a record, and what is said when it is broken."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from registry.records import ValidRecord, check_records, parse_payload
from registry.refusal import RefusedError

GOOD = {"variable": "temperature", "value": 21.5}


def parse_records(body: bytes) -> list[ValidRecord]:
    return check_records(parse_payload(body, "application/json"))


def parse(*records: Any) -> list[ValidRecord]:
    return parse_records(orjson.dumps(list(records)))


def nest(levels: int) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for _ in range(levels):
        nested = {"a": nested}
    return nested


def test_a_single_record_is_taken_as_well_as_an_array() -> None:
    assert [record.variable for record in parse_records(orjson.dumps(GOOD))] == ["temperature"]
    assert [record.variable for record in parse(GOOD, {"variable": "humidity"})] == ["temperature", "humidity"]


def test_a_record_keeps_everything_it_was_given() -> None:
    assert parse(
        {
            "variable": "temperature",
            "value": 21.5,
            "unit": "°C",
            "group": "6a1f0c52d3b19e4477aa01c9",
            "time": "2026-11-21T01:23:45.678901Z",
            "location": {"lat": 35.77, "lng": -78.67},
            "metadata": {"color": "red"},
        }
    ) == [
        ValidRecord(
            variable="temperature",
            value=21.5,
            unit="°C",
            group="6a1f0c52d3b19e4477aa01c9",
            time=datetime(2026, 11, 21, 1, 23, 45, 678901, tzinfo=UTC),
            location={"type": "Point", "coordinates": [-78.67, 35.77]},
            metadata={"color": "red"},
        )
    ]


@pytest.mark.parametrize("value", ["", "0011AA", "é" * 3_072, 0, -1.5, 10**18, True, False, None])
def test_a_value_is_a_string_a_number_a_boolean_or_missing(value: object) -> None:
    (record,) = parse({**GOOD, "value": value})
    assert record.value == value
    assert type(record.value) is type(value)


@pytest.mark.parametrize(
    "field",
    [
        {"variable": "v" * 100},
        {"variable": "größe_2"},
        {"unit": "u" * 25},
        {"group": "g" * 100},
        {"metadata": {"text": "m" * 9_989}},
    ],
)
def test_what_just_fits_is_taken(field: dict[str, Any]) -> None:
    (record,) = parse({**GOOD, **field})
    assert all(getattr(record, name) == value for name, value in field.items())


VARIABLE = "variable must be a string of 1 to 100 characters in lower case, without spaces and *?!<>.-=$"
VALUE = "value must be a number, a boolean, or a string of at most 6,144 bytes"
METADATA = "metadata must be an object of at most 10,000 bytes, and not nested in hundreds of levels"
LOCATION = (
    'location must be an object {"lat": …, "lng": …} or {"type": "Point", "coordinates": [longitude, latitude]}, '
    "in degrees"
)


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ({"variable": None}, "variable is missing; what is no record needs a payload parser"),
        ({"variable": ""}, VARIABLE),
        ({"variable": 7}, VARIABLE),
        ({"variable": "v" * 101}, VARIABLE),
        ({"variable": "Temperature"}, VARIABLE),
        *(({"variable": f"a{character}b"}, VARIABLE) for character in "*?!<>.-=$ \n\t\0"),
        ({"value": [1]}, VALUE),
        ({"value": {"a": 1}}, VALUE),
        ({"value": "é" * 3_073}, VALUE),
        ({"unit": "u" * 26}, "unit must be a string of at most 25 characters"),
        ({"unit": 7}, "unit must be a string of at most 25 characters"),
        ({"unit": "a\0b"}, "unit must be a string of at most 25 characters"),
        ({"group": "g" * 101}, "group must be a string of at most 100 characters"),
        ({"group": 1_631_814_703_672}, "group must be a string of at most 100 characters"),
        ({"serie": "g" * 101}, "serie must be a string of at most 100 characters"),
        ({"time": "yesterday"}, "time must be an ISO 8601 time or a Unix time"),
        ({"time": ""}, "time must be an ISO 8601 time or a Unix time"),
        ({"time": True}, "time must be an ISO 8601 time or a Unix time"),
        ({"time": 1e300}, "time must be an ISO 8601 time or a Unix time"),
        ({"metadata": []}, METADATA),
        ({"metadata": "text"}, METADATA),
        ({"metadata": {"text": "m" * 9_990}}, METADATA),
        ({"metadata": nest(300)}, METADATA),
        ({"location": "35.77, -78.67"}, LOCATION),
        ({"location": {"lat": 35.77}}, LOCATION),
        ({"location": {"lat": "35.77", "lng": "-78.67"}}, LOCATION),
        ({"location": {"lat": True, "lng": False}}, LOCATION),
        ({"location": {"lat": 90.1, "lng": 0}}, LOCATION),
        ({"location": {"lat": 0, "lng": -180.1}}, LOCATION),
        ({"location": {"type": "Point", "coordinates": [0]}}, LOCATION),
        ({"location": {"type": "Point", "coordinates": [0, 91]}}, LOCATION),
        ({"location": {"type": "Polygon", "coordinates": [0, 0]}}, LOCATION),
    ],
)
def test_what_breaks_a_limit_is_refused_by_record_and_field(field: dict[str, Any], message: str) -> None:
    body = encode(GOOD, {**GOOD, **field})
    with pytest.raises(RefusedError) as refused:
        parse_records(body)
    assert refused.value.message == f"Record 1: {message}"
    assert refused.value.status == 400


def encode(*records: Any) -> bytes:
    """Encode what orjson writes no more, too: it reads deeper than it writes."""
    try:
        return orjson.dumps(list(records))
    except orjson.JSONEncodeError:
        return str(list(records)).replace("'", '"').encode()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The body is not valid JSON: "),
        (b"[", "The body is not valid JSON: "),
        (b"payload=0011AA", "The body is not valid JSON: "),
        (b"[]", "The body holds no record"),
        (b"null", "Record 0 must be an object"),
        (b"7", "Record 0 must be an object"),
        (b'[{"variable": "a"}, [{"variable": "b"}]]', "Record 1 must be an object"),
        (b'[{"variable": "a"}, {"value": 1}]', "Record 1: variable is missing"),
    ],
)
def test_a_body_that_holds_no_records_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(RefusedError) as refused:
        parse_records(body)
    assert refused.value.message.startswith(message)
    assert refused.value.status == 400


@pytest.mark.parametrize(
    "time",
    [
        "2026-11-21T01:23:45Z",
        "2026-11-21T01:23:45",
        "2026-11-20T20:23:45-05:00",
        "2026-11-21 01:23:45",
        1_795_224_225,
        1_795_224_225_000,
        "1795224225",
    ],
)
def test_a_time_is_iso_or_unix_and_without_an_offset_utc(time: str | int) -> None:
    (record,) = parse({**GOOD, "time": time})
    assert record.time == datetime(2026, 11, 21, 1, 23, 45, tzinfo=UTC)


def test_a_forecast_may_lie_far_ahead() -> None:
    (record,) = parse({**GOOD, "time": "2126-01-01T00:00:00Z"})
    assert record.time.year == 2126


def test_records_without_a_time_were_made_now_all_at_once() -> None:
    before = datetime.now(UTC)
    first, second = parse(GOOD, GOOD)
    assert before <= first.time == second.time <= datetime.now(UTC)


def test_records_without_a_group_share_one_and_those_of_another_body_another() -> None:
    first, second = parse(GOOD, GOOD)
    (other,) = parse(GOOD)
    assert first.group == second.group != other.group
    assert len(first.group) == 24


def test_serie_is_another_name_of_group_which_counts_where_both_are_there() -> None:
    (old,) = parse({**GOOD, "serie": "s"})
    (both,) = parse({**GOOD, "serie": "s", "group": "g"})
    assert (old.group, both.group) == ("s", "g")


@pytest.mark.parametrize(
    ("location", "coordinates"),
    [
        ({"lat": 0, "lng": 0}, [0, 0]),
        ({"lat": -90, "lng": 180}, [180, -90]),
        ({"type": "Point", "coordinates": [-78.67, 35.77]}, [-78.67, 35.77]),
        ({"type": "point", "coordinates": [-78.67, 35.77, 120]}, [-78.67, 35.77, 120]),
    ],
)
def test_a_location_is_kept_as_a_geojson_point(location: dict[str, Any], coordinates: list[float]) -> None:
    (record,) = parse({"variable": "position", "location": location})
    assert record.location == {"type": "Point", "coordinates": coordinates}


def test_what_was_read_can_be_posted_again() -> None:
    (record,) = parse({**GOOD, "id": "5bbd120d4051a50034cd1a05", "device": "x", "unit": None, "location": None})
    assert (record.variable, record.value, record.unit, record.location) == ("temperature", 21.5, None, None)
