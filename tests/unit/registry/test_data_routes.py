"""Data: deleted, filtered and counted; with the device's token and with its profile's."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import pytest

from registry.data_remover import DataRemover
from registry.decoding import Payload
from registry.entries import DeviceEntry
from registry.records import ValidRecord, check_records
from registry.refusal import RefusedError
from registry.service import Registry
from tests.unit.registry.api import Api
from tests.unit.registry.devices import CreateDevice, Device

HOURS = "2026-11-21T{:02}:00:00Z"

List: TypeAlias = Callable[[], Awaitable[list[Any]]]

POSTED = [
    {"variable": "temperature", "time": HOURS.format(1), "value": 10, "group": "g1"},
    {"variable": "temperature", "time": HOURS.format(2), "value": 20.5, "group": "g1"},
    {"variable": "temperature", "time": HOURS.format(3), "value": "20", "group": "g2"},
    {"variable": "humidity", "time": HOURS.format(4), "value": True, "group": "g2"},
    {"variable": "humidity", "time": HOURS.format(5), "value": -3, "group": "g2"},
]


@pytest.fixture
async def device(create_device: CreateDevice, api: Api) -> Device:
    device, neighbour = await create_device(), await create_device()
    for owner in (device, neighbour):
        await Api(api.client, owner.headers).post("/data", POSTED)
    return device


@pytest.fixture
def of_device(api: Api, device: Device) -> Api:
    return Api(api.client, device.headers)


@pytest.fixture
def values(of_device: Api) -> List:
    """Give the values that the device has, in the order of their time."""

    async def values() -> list[Any]:
        return [record["value"] for record in await of_device.get("/data?ordination=ascending")]

    return values


# Deleting


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("", []),
        ("?qty=1", [10, 20.5, "20", True]),
        ("?query=last_item", [10, 20.5, "20", True]),
        ("?query=first_item&variables=humidity", [10, 20.5, "20", -3]),
        ("?variables=temperature", [True, -3]),
        ("?variables[0]=temperature&variables[1]=humidity&qty=1", [10, 20.5, True]),
        ("?groups=g1", ["20", True, -3]),
        (f"?start_date={HOURS.format(2)}&end_date={HOURS.format(4)}", [10, -3]),
        ("?variables=unknown", [10, 20.5, "20", True, -3]),
    ],
)
async def test_what_a_query_finds_is_deleted_and_nothing_else(
    of_device: Api, values: List, query: str, left: Any
) -> None:
    assert await of_device.delete(f"/data{query}") == f"{5 - len(left)} Data Removed"
    assert await values() == left


async def test_a_record_is_deleted_by_its_id(of_device: Api, values: List) -> None:
    records = await of_device.get("/data?ordination=ascending")
    assert await of_device.delete(f"/data?ids={records[1]['id']}") == "1 Data Removed"
    assert await values() == [10, "20", True, -3]


async def test_a_query_that_finds_a_number_deletes_nothing(of_device: Api, values: List) -> None:
    assert await of_device.refuse("DELETE", "/data?query=count") == (400, "query=count finds no records")
    assert len(await values()) == 5


async def test_deleting_leaves_the_neighbour_alone(api: Api, of_device: Api) -> None:
    await of_device.delete("/data")
    assert sorted([await api.get(f"/device/{device['id']}/data_amount") for device in await api.get("/device")]) == [
        0,
        5,
    ]


# Filters


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("values=10", [10]),
        ("values=20", ["20"]),
        ("values[0]=20.5&values[1]=-3", [20.5, -3]),
        ("values=true", [True]),
        ("values=wet", []),
    ],
)
async def test_values_are_found_as_a_query_string_writes_them(of_device: Api, query: str, found: list[Any]) -> None:
    records = await of_device.get(f"/data?ordination=ascending&{query}")
    assert [record["value"] for record in records] == found


async def test_a_number_beyond_64_bits_is_found_and_deleted_as_it_was_stored(of_device: Api) -> None:
    number = 10**23 - 1
    await of_device.post("/data", {"variable": "large", "value": number})
    (record,) = await of_device.get(f"/data?values={number}")
    assert record["value"] == float(number)
    assert await of_device.get(f"/data?values=-{number}") == []
    assert await of_device.delete(f"/data?values={number}") == "1 Data Removed"


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("query=min", -3),
        ("query=max", 20.5),
        ("query=sum&variables=temperature", 30.5),
        ("query=avg&variables=temperature", 15.25),
        ("query=count", 5),
        ("query=sum&variables=unknown", []),
    ],
)
async def test_numbers_are_calculated_of_the_values_that_are_numbers(of_device: Api, query: str, number: Any) -> None:
    assert await of_device.get(f"/data?{query}") == number


# With the profile's token


async def test_a_profile_posts_reads_counts_and_empties_its_devices_data(
    api: Api, device: Device, of_device: Api, values: List
) -> None:
    path = f"/device/{device.id}"
    assert await api.post(f"{path}/data", {"variable": "humidity", "value": 7}) == "1 Data Added"
    assert len(await api.get(f"{path}/data?variables=humidity")) == 3
    assert await api.get(f"{path}/data_amount") == 6
    assert await api.delete(f"{path}/data?variables=humidity") == "3 Data Removed"
    assert await values() == [10, 20.5, "20"]
    assert await api.post(f"{path}/empty") == "3 Data Removed"
    assert await of_device.get("/data") == []


# What a parser is for


async def test_text_without_a_parser_is_refused_and_says_what_it_lacks(of_device: Api, device: Device) -> None:
    response = await of_device.client.post(
        "/data", content=b"01;22.5", headers={**device.headers, "Content-Type": "text/plain; charset=utf-8"}
    )
    assert (response.status_code, response.json()["message"]) == (
        400,
        "The body is text, of which only a payload parser makes records; this device has none",
    )


@pytest.mark.parametrize("body", [{"temp": 1}, [1], "text", 7, [None]])
async def test_json_that_is_no_record_without_a_parser_is_refused(of_device: Api, body: Any, device: Device) -> None:
    response = await of_device.client.post("/data", json=body, headers=device.headers)
    assert response.status_code == 400
    assert "payload parser" in response.json()["message"]


async def test_a_parser_stands_between_what_is_posted_and_what_is_checked(
    registry: Registry, api: Api, of_device: Api, device: Device, values: List
) -> None:
    seen: list[tuple[str, Payload]] = []

    async def decode(device: DeviceEntry, payload: Payload, uplink_ids: Sequence[str] = ()) -> list[ValidRecord]:
        del uplink_ids
        seen.append((device.id, payload))
        if payload == "bad":
            raise RefusedError(400, "The parser failed")
        return check_records({"variable": "decoded", "value": 1, "time": HOURS.format(6)})

    registry.intake._decode = decode
    await api.put(f"/device/{device.id}", payload_decoder="YQ==")
    headers = {**device.headers, "Content-Type": "text/plain"}
    for text, status in (("01;22.5", 200), ("bad", 400)):
        assert (await of_device.client.post("/data", content=text, headers=headers)).status_code == status
    assert seen == [(device.id, "01;22.5"), (device.id, "bad")]
    assert await values() == [10, 20.5, "20", True, -3, 1]


# Retention


async def test_data_is_removed_by_its_time(registry: Registry, values: List) -> None:
    remover = DataRemover(registry._database)
    before = datetime(2026, 11, 21, 3, tzinfo=UTC)
    assert await remover.remove_old(before) == 4  # two of each of two devices
    assert await values() == ["20", True, -3]
    assert await remover.remove_old(before) == 0


async def test_data_of_many_devices_is_removed_slice_by_slice(
    registry: Registry, values: List, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("registry.data_remover.MOST_AT_ONCE", 2)
    monkeypatch.setattr("registry.data_remover.DEVICES_AT_ONCE", 1)
    assert await DataRemover(registry._database).remove_old(datetime(2026, 11, 22, tzinfo=UTC)) == 10
    assert await values() == []


@pytest.mark.parametrize(("retention", "left"), [(None, 5), (timedelta(days=36_500), 5), (timedelta(seconds=1), 0)])
async def test_the_registry_keeps_data_for_as_long_as_it_was_told(
    registry: Registry, of_device: Api, retention: timedelta | None, left: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry._upkeep, "_retention", retention)
    await of_device.delete("/data")
    await of_device.post("/data", [{"variable": "a", "time": "2026-01-01"}] * 5)
    await registry._upkeep._remove_old_data()
    assert len(await of_device.get("/data")) == left
