"""Reading back what was posted, as TagoIO's clients ask for it."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import httpx
import pytest

from tests.unit.registry.devices import CreateDevice, Device

HOURS = "2026-11-21T{:02}:00:00Z"

Read: TypeAlias = Callable[[str], Awaitable[Any]]


def build_record(variable: str, hour: int, value: Any = None, **fields: Any) -> dict[str, Any]:
    return {"variable": variable, "time": HOURS.format(hour), "value": value, **fields}


POSTED = [
    build_record("temperature", 1, 10, group="g1", unit="°C"),
    build_record("temperature", 3, 30, group="g2", metadata={"color": "red"}),
    build_record("temperature", 2, 20, group="g1"),
    build_record("humidity", 2, "wet", group="g2"),
    build_record("position", 4, group="g2", location={"lat": 35.77, "lng": -78.67}),
    build_record("door", 0, value=False, group="g1"),
]


@pytest.fixture
async def device(client: httpx.AsyncClient, create_device: CreateDevice) -> Device:
    device, neighbour = await create_device(), await create_device()
    for owner in (device, neighbour):
        assert (await client.post("/data", json=POSTED, headers=owner.headers)).status_code == 200
    return device


@pytest.fixture
def read(client: httpx.AsyncClient, device: Device) -> Read:
    async def read(query: str) -> Any:
        response = await client.get(f"/data?{query}", headers=device.headers)
        assert response.status_code == 200, response.text
        assert response.json()["status"] is True
        return response.json()["result"]

    return read


def name(records: list[dict[str, Any]]) -> list[tuple[str, Any]]:
    return [(record["variable"], record.get("value")) for record in records]


async def test_a_record_comes_back_as_it_was_posted(read: Read, device: Device) -> None:
    (record,) = await read("variable=temperature&qty=1")
    assert len(record.pop("id")) == 24
    assert record == {
        "device": device.id,
        "variable": "temperature",
        "value": 30,
        "group": "g2",
        "time": "2026-11-21T03:00:00.000000Z",
        "metadata": {"color": "red"},
    }


async def test_a_location_comes_back_as_a_geojson_point_and_without_the_value_it_never_had(read: Read) -> None:
    (record,) = await read("variable=position")
    assert record["location"] == {"type": "Point", "coordinates": [-78.67, 35.77]}
    assert "value" not in record


async def test_without_a_filter_the_newest_come_first(read: Read) -> None:
    assert name(await read("")) == [
        ("position", None),
        ("temperature", 30),
        ("humidity", "wet"),
        ("temperature", 20),
        ("temperature", 10),
        ("door", False),
    ]


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ("variables=temperature", [30, 20, 10]),
        ("variables[0]=temperature&variables[1]=door", [30, 20, 10, False]),
        ("variables=temperature&ordination=ascending", [10, 20, 30]),
        ("variables=temperature&qty=2", [30, 20]),
        ("variables=temperature&qty=2&skip=2", [10]),
        ("variables=temperature&variables=humidity&qty=1", [30, "wet"]),
        ("variables=pressure", []),
        ("groups=g1", [20, 10, False]),
        ("serie=g1&variable=temperature", [20, 10]),
        ("groups=g1&groups=g3", [20, 10, False]),
        ("variables=temperature&start_date=2026-11-21T02:00:00Z", [30, 20]),
        ("variables=temperature&end_date=2026-11-21T02:00:00Z", [20, 10]),
        ("variables=temperature&start_date=2026-11-21T01:30:00Z&end_date=2026-11-21%2002:30:00", [20]),
        ("start_date=1%20day&end_date=1%20hour&variables=pressure", []),
    ],
)
async def test_filters_narrow_what_comes(read: Read, query: str, values: list[Any]) -> None:
    assert [record["value"] for record in await read(query)] == values


@pytest.mark.parametrize(
    ("query", "records"),
    [
        ("last_item", [("position", None)]),
        ("last_value", [("temperature", 30)]),
        ("last_location", [("position", None)]),
        ("last_insert", [("door", False)]),
        ("first_item", [("door", False)]),
        ("first_value", [("door", False)]),
        ("first_location", [("position", None)]),
        ("first_insert", [("temperature", 10)]),
        ("last_value&variables=temperature&variables=humidity", [("temperature", 30), ("humidity", "wet")]),
        ("last_value&groups=g1", [("temperature", 20)]),
        ("first_item&variables=temperature&start_date=2026-11-21T02:00:00Z", [("temperature", 20)]),
        ("last_value&variables=position", []),
    ],
)
async def test_first_and_last_are_one_record_for_each_variable(read: Read, query: str, records: list[Any]) -> None:
    assert name(await read(f"query={query}")) == records


@pytest.mark.parametrize(
    ("query", "count"), [("", 6), ("variables=temperature&variables=door", 4), ("groups=g2", 3), ("variable=x", 0)]
)
async def test_a_count_is_a_number(read: Read, query: str, count: int) -> None:
    assert await read(f"query=count&{query}") == count


async def test_records_are_found_by_their_ids(read: Read) -> None:
    wanted = {record["id"] for record in (await read(""))[1:3]}
    found = await read("&".join(f"ids[{index}]={record_id}" for index, record_id in enumerate(wanted)))
    assert {record["id"] for record in found} == wanted


async def test_details_tell_when_a_record_was_stored(read: Read) -> None:
    (record,) = await read("query=last_item&details=true")
    assert record["created_at"] > "2026"


async def test_records_of_one_moment_keep_the_order_of_their_post(
    client: httpx.AsyncClient, create_device: CreateDevice
) -> None:
    device = await create_device()
    posted = [build_record("step", 1, number) for number in range(50)]
    await client.post("/data", json=posted, headers=device.headers)
    response = await client.get("/data?ordination=ascending&qty=50", headers=device.headers)
    assert [record["value"] for record in response.json()["result"]] == list(range(50))


@pytest.mark.parametrize("value", [2**63, -(2**63), 18_446_744_073_709_551_615, 0.1, 1e300, "1.10", "007", "true", ""])
async def test_a_value_comes_back_exactly(client: httpx.AsyncClient, create_device: CreateDevice, value: Any) -> None:
    device = await create_device()
    await client.post("/data", json={"variable": "exact", "value": value}, headers=device.headers)
    (record,) = (await client.get("/data", headers=device.headers)).json()["result"]
    assert record["value"] == value
    assert type(record["value"]) is type(value)


async def test_a_question_that_is_not_understood_is_refused(client: httpx.AsyncClient, device: Device) -> None:
    response = await client.get("/data?query=aggregate", headers=device.headers)
    assert response.status_code == 400
    assert response.json()["status"] is False
    assert "query must be one of" in response.json()["message"]
