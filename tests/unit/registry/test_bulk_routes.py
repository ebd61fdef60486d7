"""Many posts in one request: each has its own answer, and is what it would have been alone."""

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import event

from registry import bulk
from registry.decoding import Payload
from registry.entries import DeviceEntry
from registry.records import ValidRecord, check_records
from registry.refusal import RefusedError
from registry.service import Registry
from tests.unit.registry.api import Api
from tests.unit.registry.devices import CreateDevice, Device

GROUP = "6a1f0c52d3b19e4477aa01c9"
RECORD = {"variable": "temperature", "value": 21.5}


@pytest.fixture
def stranger(api: Api) -> Api:
    """Somebody without a token: each post brings its device's."""
    return Api(api.client, {})


def build_post(device: Device, *values: Any, uplinks: tuple[int, ...] = ()) -> dict[str, Any]:
    data = [{"variable": "a", "value": value} for value in values]
    return {"device_token": device.token, "records": data, "uplinks": [f"{GROUP}/{index}" for index in uplinks]}


async def test_posts_of_many_devices_are_stored_and_each_is_answered(
    api: Api, stranger: Api, create_device: CreateDevice
) -> None:
    devices = [await create_device() for _ in range(3)]
    posts = [build_post(device, *range(index + 1)) for index, device in enumerate(devices)]
    assert await stranger.post("/data/bulk", {"posts": posts}) == [
        {"code": 200, "status": True, "result": f"{count} Data Added"} for count in (1, 2, 3)
    ]
    assert [await api.get(f"/device/{device.id}/data_amount") for device in devices] == [1, 2, 3]


async def test_a_post_that_is_refused_leaves_the_others_alone(
    api: Api, stranger: Api, create_device: CreateDevice
) -> None:
    device, inactive = await create_device(), await create_device()
    await api.put(f"/device/{inactive.id}", active=False)
    posts = [
        build_post(device, 1),
        {"device_token": device.token, "records": [RECORD, {**RECORD, "unit": 7}]},
        {"device_token": "unknown", "records": RECORD},
        build_post(inactive, 1),
        {"device_token": device.token, "records": RECORD, "uplinks": ["7"]},
        build_post(device, 2),
    ]
    answers = await stranger.post("/data/bulk", {"posts": posts})
    assert [answer["code"] for answer in answers] == [200, 400, 401, 403, 400, 200]
    assert answers[1] == {
        "status": False,
        "message": "Record 1: unit must be a string of at most 25 characters",
        "code": 400,
    }
    assert answers[2]["message"] == "Authorization Denied"
    assert await api.get(f"/device/{device.id}/data_amount") == 2


@pytest.mark.parametrize("records", [[{**RECORD, "metadata": {"a": "b" * 9_000}}] * 23, "é" * 100_001])
async def test_a_post_that_would_be_too_large_alone_is_413_and_leaves_the_others_alone(
    stranger: Api, create_device: CreateDevice, records: Any
) -> None:
    device = await create_device()
    too_large = {"device_token": device.token, "records": records}
    first, refused, last = await stranger.post(
        "/data/bulk", {"posts": [build_post(device, 1), too_large, build_post(device, 2)]}
    )
    assert refused == {
        "code": 413,
        "status": False,
        "message": "The records of a post must not be larger than 200,000 bytes",
    }
    assert (first["code"], last["code"]) == (200, 200)


async def test_the_tokens_of_a_request_are_looked_up_together(
    registry: Registry, stranger: Api, create_device: CreateDevice
) -> None:
    devices = [await create_device() for _ in range(10)]
    asked: list[str] = []
    engine = registry._database._engine.sync_engine
    event.listen(engine, "before_cursor_execute", lambda *arguments: asked.append(arguments[2]))
    answers = await stranger.post("/data/bulk", {"posts": [build_post(device, 1) for device in devices]})
    assert [answer["code"] for answer in answers] == [200] * 10
    assert sum("JOIN device_tokens" in statement for statement in asked) == 1


async def test_uplinks_are_stored_once_within_a_request_and_over_several(
    api: Api, stranger: Api, create_device: CreateDevice
) -> None:
    device = await create_device()
    posts = [
        build_post(device, 1, uplinks=(0,)),
        build_post(device, 1, uplinks=(0,)),
        build_post(device, 2, uplinks=(1,)),
    ]
    first = await stranger.post("/data/bulk", {"posts": posts})
    assert [answer["result"] for answer in first] == ["1 Data Added", "0 Data Added", "1 Data Added"]
    again = await stranger.post("/data/bulk", {"posts": [*posts, build_post(device, 3, uplinks=(1, 2))]})
    assert [answer.get("result") for answer in again] == ["0 Data Added"] * 3 + [None]
    assert again[3]["code"] == 409
    assert await api.get(f"/device/{device.id}/data_amount") == 2


async def test_a_parser_runs_once_for_each_post_in_the_order_of_a_devices_posts(
    registry: Registry, api: Api, stranger: Api, create_device: CreateDevice
) -> None:
    devices = [await create_device(), await create_device()]
    seen: list[tuple[str, Any]] = []

    async def decode(device: DeviceEntry, payload: Payload, uplink_ids: Sequence[str] = ()) -> list[ValidRecord]:
        del uplink_ids
        seen.append((device.id, payload))
        if payload == "broken":
            raise RuntimeError("a bug")
        return check_records({"variable": "a"})

    registry.intake._decode = decode
    for device in devices:
        await api.put(f"/device/{device.id}", payload_decoder="YQ==")
    texts = ["1", "2", "broken", "3"]
    posts = [{"device_token": device.token, "records": text} for text in texts for device in devices]
    answers = await stranger.post("/data/bulk", {"posts": posts})
    assert [answer["code"] for answer in answers] == [200, 200, 200, 200, 500, 500, 200, 200]
    for device in devices:
        assert [payload for device_id, payload in seen if device_id == device.id] == texts


async def test_behind_a_post_whose_parser_found_no_time_those_of_its_device_do_not_wait_as_well(
    registry: Registry, api: Api, stranger: Api, create_device: CreateDevice
) -> None:
    """Each would wait as long, and the whole request for all of them."""
    device, other = await create_device(), await create_device()
    seen: list[Any] = []

    async def decode(device: DeviceEntry, payload: Payload, uplink_ids: Sequence[str] = ()) -> list[ValidRecord]:
        del device, uplink_ids
        seen.append(payload)
        if payload == "2":
            raise RefusedError(429, "Too many posts wait for their parsers (Retry-After: 1)")
        return check_records({"variable": "a"})

    registry.intake._decode = decode
    for each in (device, other):
        await api.put(f"/device/{each.id}", payload_decoder="YQ==")
    posts = [{"device_token": each.token, "records": text} for text in "123" for each in (device, other)][:5]
    posts[3] = {"device_token": other.token, "records": "other"}
    answers = await stranger.post("/data/bulk", {"posts": posts})
    assert [answer["code"] for answer in answers] == [200, 200, 429, 200, 429]
    assert sorted(seen) == ["1", "1", "2", "other"]


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        {"posts": []},
        {"posts": {}},
        {"posts": [RECORD]},
        {"posts": [{"device_token": 7, "records": []}]},
        {"posts": [{"device_token": "a"}]},
        {"posts": [{"device_token": "a", "records": [], "uplinks": "a"}]},
        {"posts": [{"device_token": "a", "records": [], "more": 1}]},
        {"posts": [{"device_token": "a", "records": []}], "more": 1},
        {"posts": [{"device_token": "a", "records": []}] * (bulk.MOST_POSTS + 1)},
    ],
)
async def test_what_is_no_list_of_posts_is_refused_whole(stranger: Api, document: Any) -> None:
    status, _ = await stranger.refuse("POST", "/data/bulk", document)
    assert status == 400


async def test_a_request_that_is_too_large_is_413(stranger: Api) -> None:
    response = await stranger.client.post("/data/bulk", content=b" " * (bulk.BULK_BYTES + 1))
    assert (response.status_code, response.json()["message"]) == (
        413,
        "The body must not be larger than 8,388,608 bytes",
    )


@pytest.mark.parametrize("route", ["POST /data", "GET /data", "GET /info", "POST /data/bulk"])
async def test_a_worker_learns_of_it_from_the_answers_that_it_gets_anyway(stranger: Api, route: str) -> None:
    """Also from one that refuses: it asks ``/info`` without a token to find out whether anybody is there."""
    response = await stranger.client.request(*route.split())
    assert response.status_code >= 400
    assert response.headers["Sluice-Bulk"] == "/data/bulk"
    assert "Sluice-Bulk" not in (await stranger.client.get("/device")).headers
