"""What a parser says goes to the uplink that it ran for."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from common.settings import Settings
from registry.service import Registry
from tests.support.events import FakeEvents
from tests.unit.registry.api import Api
from tests.unit.registry.registries import SECRET

GROUP = "6a1f0c52d3b19e4477aa01c9"


@pytest.fixture
async def events() -> FakeEvents:
    return FakeEvents()


@pytest.fixture
async def registry(tmp_path: Path, events: FakeEvents) -> AsyncIterator[Registry]:
    async with Registry(Settings(data=tmp_path, registry_port=0, secret_key=SECRET), events) as registry:
        yield registry


class Device:
    """A device with a parser."""

    def __init__(self, client: httpx.AsyncClient, created: dict[str, str], network: str) -> None:
        self._client = client
        self._token = created["token"]
        self.id, self.network = created["device_id"], network

    async def post(self, uplink_ids: str | None = None) -> httpx.Response:
        headers = {"Device-Token": self._token} | ({} if uplink_ids is None else {"Sluice-Uplinks": uplink_ids})
        return await self._client.post("/data", json=[{"variable": "payload", "value": "00"}], headers=headers)


async def create(client: httpx.AsyncClient, profile: dict[str, str], source: str) -> Device:
    api = Api(client, profile)
    network = (await api.create("/integration/network", name="LoRaWAN"))["network"]
    connector = (await api.create("/integration/connector", name="Sensor", networks=[network]))["connector"]
    parser = base64.b64encode(source.encode()).decode()
    created = await api.create(
        "/device", name="A", network=network, connector=connector, serie_number="AA-01", payload_decoder=parser
    )
    return Device(client, created, network)


async def test_each_line_is_told_of_each_uplink_of_the_post(
    client: httpx.AsyncClient, profile: dict[str, str], events: FakeEvents
) -> None:
    device = await create(client, profile, "console.log('port', 10); console.error({ a: 1 });")
    assert (await device.post(f"{GROUP}/0,{GROUP}/1")).status_code == 200
    assert [(event.uplink_id, event.facts["level"]) for event in events.told] == [
        (f"{GROUP}/0", "log"),
        (f"{GROUP}/1", "log"),
        (f"{GROUP}/0", "error"),
        (f"{GROUP}/1", "error"),
    ]
    said = events.told[0]
    assert (said.stage, said.serial, said.network, said.key) == ("said", "AA-01", device.network, None)
    assert said.facts == {"device": device.id, "parser": "device", "level": "log", "text": "port 10"}


async def test_a_parser_that_fails_is_heard_as_well(
    client: httpx.AsyncClient, profile: dict[str, str], events: FakeEvents
) -> None:
    device = await create(client, profile, "console.log('before'); throw new Error('too short');")
    assert (await device.post(f"{GROUP}/0")).status_code == 400
    assert [event.facts["text"] for event in events.told] == ["before"]


async def test_a_post_that_names_no_uplink_is_told_by_its_device(
    client: httpx.AsyncClient, profile: dict[str, str], events: FakeEvents
) -> None:
    device = await create(client, profile, "console.log('hello');")
    await device.post()
    assert [(event.uplink_id, event.serial) for event in events.told] == [(None, "AA-01")]


async def test_nothing_is_told_while_nobody_watches(
    client: httpx.AsyncClient, profile: dict[str, str], events: FakeEvents
) -> None:
    device = await create(client, profile, "console.log('hello');")
    events.send_viewer_away()
    await device.post(f"{GROUP}/0")
    assert events.told == []
