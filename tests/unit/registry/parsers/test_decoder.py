"""``POST /data`` with parsers: of the network, the connector and the device."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from registry.first_start import FirstStart
from registry.parsers import run_queue
from registry.parsers.child import ParserChild, ProcessGoneError
from registry.parsers.model import Decoded
from registry.parsers.pool import ParserPool
from registry.service import Registry
from tests.unit.registry.api import Api
from tests.unit.registry.registries import open_registry

UPLINK = [
    {"variable": "payload", "value": "AOsDUgo=", "group": "65e1b2c3d4e5f60718293a4b", "time": "2026-03-01T10:20:30Z"},
    {"variable": "port", "value": 2, "group": "65e1b2c3d4e5f60718293a4b", "time": "2026-03-01T10:20:30Z"},
]

NETWORK = """
// A network server's base64 becomes what the connectors expect.
const item = payload.find((x) => x.variable === 'payload');
if (item) item.value = Buffer.from(item.value, 'base64').toString('hex');
"""
CONNECTOR = """
const item = payload.find((x) => x.variable === 'payload');
const bytes = Buffer.from(item.value, 'hex');
payload = [{ variable: 'Temperature', value: bytes.readInt16BE(0) / 10, unit: '°C', serie: 17 }];
"""
DEVICE = """
const offset = device.params.find((p) => p.key === 'offset');
payload[0].value += Number(offset.value);
"""


def encode(source: str) -> str:
    return base64.b64encode(source.encode()).decode()


class Place:
    """A network, a connector and a device, whose parsers a test sets."""

    def __init__(self, client: httpx.AsyncClient, profile: Api, ids: dict[str, str], token: str) -> None:
        self._client = client
        self._profile = profile
        self._ids = ids
        self._headers = {"Device-Token": token}

    async def set_parser(self, kind: str, source: str | None) -> None:
        path = {"device": "/device"}.get(kind, f"/integration/{kind}")
        parser = None if source is None else encode(source)
        await self._profile.put(f"{path}/{self._ids[kind]}", payload_decoder=parser)

    async def post(self, payload: Any = UPLINK, **headers: str) -> httpx.Response:
        return await self._client.post("/data", json=payload, headers=self._headers | headers)

    async def post_text(self, text: str) -> httpx.Response:
        headers = self._headers | {"Content-Type": "text/plain"}
        return await self._client.post("/data", content=text, headers=headers)

    async def read(self) -> list[dict[str, Any]]:
        response = await self._client.get("/data", headers=self._headers)
        records: list[dict[str, Any]] = response.json()["result"]
        return records

    async def read_values(self) -> dict[str, Any]:
        return {record["variable"]: record["value"] for record in await self.read()}


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[Registry]:
    """What is tested here is the same on every database."""
    async with open_registry(tmp_path, None) as registry:
        yield registry


@pytest.fixture
async def place(client: httpx.AsyncClient, profile: dict[str, str]) -> Place:
    api = Api(client, profile)
    network = (await api.create("/integration/network", name="LoRaWAN"))["network"]
    connector = (await api.create("/integration/connector", name="Sensor", networks=[network]))["connector"]
    params = [{"key": "offset", "value": "0.5", "sent": False}]
    created = await api.create("/device", name="A", network=network, connector=connector, configuration_params=params)
    ids = {"network": network, "connector": connector, "device": created["device_id"]}
    return Place(client, api, ids, created["token"])


async def test_the_parsers_run_in_their_order(place: Place) -> None:
    for kind, source in (("network", NETWORK), ("connector", CONNECTOR), ("device", DEVICE)):
        await place.set_parser(kind, source)
    response = await place.post()
    assert response.json() == {"status": True, "result": "1 Data Added"}
    (record,) = await place.read()
    assert record["variable"] == "temperature"
    assert record["value"] == 24.0
    assert record["group"] == "17"
    assert record["time"].startswith("2026-03-01T10:20:30")


async def test_without_a_parser_what_was_posted_is_stored(place: Place) -> None:
    await place.post()
    assert await place.read_values() == {"payload": "AOsDUgo=", "port": 2}


async def test_a_failure_is_answered_with_its_reason_and_nothing_is_stored(place: Place) -> None:
    await place.set_parser("connector", "payload.push({ variable: 'v', value: 1 });\nthrow new Error('too short');")
    response = await place.post()
    assert response.status_code == 400
    assert response.json() == {
        "status": False,
        "message": "connector parser, line 2, column 7: Error: too short",
        "reason": "parser_failed",
    }
    assert await place.read() == []


async def test_while_too_many_runs_of_the_profile_wait_it_is_told_when_to_come_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    await place.set_parser("connector", "payload = [];")
    monkeypatch.setattr(run_queue, "MOST_WAITING", 0)
    response = await place.post()
    assert (response.status_code, response.headers["Retry-After"]) == (429, "1")
    assert response.json()["message"] == "Too many posts wait for their parsers (Retry-After: 1)"


async def test_a_run_takes_the_turn_of_the_device_s_profile(
    place: Place, first: FirstStart, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def note(*_: object, profile: str, **__: object) -> Decoded:
        noted.append(profile)
        return Decoded([])

    noted: list[str] = []
    await place.set_parser("connector", "payload = [];")
    monkeypatch.setattr(ParserPool, "run", note)
    await place.post()
    assert noted == [first.profile_id]


async def test_a_record_beyond_the_limits_is_the_parsers_failure(place: Place) -> None:
    await place.set_parser("device", "payload = [{ variable: 'v', value: [1, 2] }];")
    response = await place.post()
    assert (response.status_code, response.json()["reason"]) == (400, "parser_failed")
    assert response.json()["message"].startswith("device parser: Record 0: value must be a number")


async def test_a_record_that_is_refused_without_a_parser_has_no_such_reason(place: Place) -> None:
    response = await place.post([{"variable": "v", "value": [1, 2]}])
    assert response.status_code == 400
    assert "reason" not in response.json()


async def test_a_parser_that_is_mended_is_used_at_once(place: Place) -> None:
    await place.set_parser("connector", "null.x;")
    assert (await place.post()).status_code == 400
    await place.set_parser("connector", "payload = [{ variable: 'mended', value: true }];")
    assert (await place.post()).status_code == 200
    assert await place.read_values() == {"mended": True}


async def test_a_parser_that_was_taken_away_is_not_missed(place: Place) -> None:
    await place.set_parser("connector", "null.x;")
    assert (await place.post()).status_code == 400
    await place.set_parser("connector", None)
    assert (await place.post()).status_code == 200


async def test_text_is_the_payload_as_it_came(place: Place) -> None:
    await place.set_parser(
        "network", "payload = raw_payload.split(';').map((t, i) => ({ variable: 'v' + i, value: +t }));"
    )
    assert (await place.post_text("1;2.5")).json()["result"] == "2 Data Added"
    assert await place.read_values() == {"v0": 1, "v1": 2.5}


async def test_json_that_is_no_record_is_for_the_parser(place: Place) -> None:
    await place.set_parser(
        "network", "payload = Object.entries(payload).map(([variable, value]) => ({ variable, value }));"
    )
    assert (await place.post({"a": 1, "b": "x"})).status_code == 200
    assert await place.read_values() == {"a": 1, "b": "x"}


async def test_a_result_without_records_is_stored_as_such(place: Place) -> None:
    """A join, a heartbeat: the uplink was dealt with, and is known when it comes again."""
    await place.set_parser("device", "payload = [];")
    for _ in range(2):
        response = await place.post(**{"Sluice-Uplinks": "65e1b2c3d4e5f60718293a4b/0"})
        assert response.json() == {"status": True, "result": "0 Data Added"}
    assert await place.read() == []


async def test_while_no_parser_can_be_run_the_post_may_come_again(
    registry: Registry, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stay_away(*_: object) -> ParserChild:
        raise ProcessGoneError

    await place.set_parser("device", "payload = [];")
    await registry._parsers.close()  # with the process in which it was compiled
    monkeypatch.setattr(ParserChild, "start", stay_away)
    registry._parsers.open()
    response = await place.post()
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "1"


async def test_each_post_of_a_bulk_request_has_its_own_run(place: Place, client: httpx.AsyncClient) -> None:
    await place.set_parser("device", "payload = [{ variable: 'n', value: 10 / payload[0].value || null.x }];")
    token = place._headers["Device-Token"]
    posts = [{"device_token": token, "records": [{"variable": "payload", "value": value}]} for value in (1, "no", 2)]
    answers = (await client.post("/data/bulk", json={"posts": posts})).json()["result"]
    assert [answer["status"] for answer in answers] == [True, False, True]
    assert answers[1]["reason"] == "parser_failed"
