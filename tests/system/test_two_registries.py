"""Two registries side by side on one PostgreSQL are one registry, whichever is asked. Imports nothing of Sluice."""

import asyncio
import itertools
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.support.postgresql import execute, find_server, temporary_database
from tests.support.processes import SLUICE, Process
from tests.support.waiting import eventually

DIRECTORY_TOKEN = "system-directory-token"
PROFILE = {"Token": "p-system-profile-token"}

IN_FORCE_SECONDS = 10.0
"""Each registry asks every 2 s what the other has changed, every 5 s for parsers; the rest is for a busy machine."""

START_SECONDS = 120.0

GROUP = "6a1f0c52d3b19e4477aa01c9"

MANY = 200
SENDERS = 8
UPLINKS = 300
CUTS = 5

CUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@dataclass(frozen=True)
class Device:
    """A device, its connector, and the header with its token."""

    id: str
    connector: str
    headers: dict[str, str]


class Registry:
    """A registry as a client sees it."""

    def __init__(self, client: httpx.AsyncClient, url: str) -> None:
        self._client = client
        self._url = url

    async def ask(self, method: str, path: str, headers: dict[str, str], document: Any = None) -> httpx.Response:
        return await self._client.request(method, self._url + path, headers=headers, json=document)

    async def do(self, method: str, path: str, document: Any = None, headers: dict[str, str] = PROFILE) -> Any:
        """Give the result of what must succeed."""
        response = await self.ask(method, path, headers, document)
        assert response.json()["status"] is True, response.text
        return response.json()["result"]

    async def create_device(self) -> Device:
        """Create a device, with a network and a connector of its own."""
        network = (await self.do("POST", "/integration/network", {"name": "LoRaWAN"}))["network"]
        new = {"name": "Mill", "networks": [network]}
        connector = (await self.do("POST", "/integration/connector", new))["connector"]
        created = await self.do("POST", "/device", {"name": "A", "network": network, "connector": connector})
        return Device(created["device_id"], connector, {"Device-Token": created["token"]})

    async def post(self, device: Device, mark: int) -> httpx.Response:
        """Post the device's uplink of this number."""
        headers = {**device.headers, "Sluice-Uplinks": f"{GROUP}/{mark}"}
        return await self.ask("POST", "/data", headers, {"variable": "mark", "value": mark})


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """The URL of an empty database."""
    with temporary_database(find_server()) as url:
        yield url.get_secret_value()


@pytest.fixture(scope="module")
def processes(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Process]]:
    """Two registries that were started at once, on a database that was empty."""
    environment = {
        "SLUICE_DATABASE": database,
        "SLUICE_SECRET_KEY": "0123456789abcdef" * 2,
        "SLUICE_DIRECTORY_TOKEN": DIRECTORY_TOKEN,
        "SLUICE_PROFILE_TOKEN": PROFILE["Token"],
        "SLUICE_REGISTRY_PORT": "0",
        "SLUICE_LOG_FORMAT": "json",
    }
    started = [
        Process(str(SLUICE), "registry", environment={**environment, "SLUICE_DATA": str(tmp_path_factory.mktemp(name))})
        for name in ("one", "other")
    ]
    for process in started:
        process.wait_for_line("http.listening", within=START_SECONDS)
    yield started
    for process in started:
        process.close()


@pytest.fixture
async def registries(processes: list[Process]) -> AsyncIterator[list[Registry]]:
    async with httpx.AsyncClient(timeout=60) as client:
        yield [Registry(client, process.url) for process in processes]


async def test_what_is_created_at_one_is_used_at_the_other(registries: list[Registry]) -> None:
    one, other = registries
    network = (await one.do("POST", "/integration/network", {"name": "LoRaWAN", "serial_number": {"case": "upper"}}))[
        "network"
    ]
    key = await other.do("POST", "/serviceauth", {"name": "Factory", "network": network})
    connector = (await one.do("POST", "/integration/connector", {"name": "Mill", "networks": [network]}))["connector"]
    new = {"name": "A", "network": network, "connector": connector, "serie_number": "a1"}
    device = await other.do("POST", "/device", new)
    token = await other.do("POST", "/integration/network/token", {"network": network, "name": "Second"})

    resolving = {"Authorization": token["token"]}
    for registry in registries:
        assert (
            await registry.do("GET", f"/integration/network/resolve/A1/{key['token']}", None, resolving)
            == (device["token"])
        )
    of_device = {"Device-Token": device["token"]}
    assert await one.do("POST", "/data", {"variable": "mark", "value": 1}, of_device) == "1 Data Added"
    assert [record["value"] for record in await other.do("GET", "/data", None, of_device)] == [1]

    await one.do("PUT", f"/integration/network/{network}", {"serial_number": {"mask": "FFFF"}})
    refused = await other.ask("POST", "/device", PROFILE, {**new, "serie_number": "WXYZ"})
    assert refused.status_code == 400
    served = [
        (await registry.ask("GET", "/directory", {"Authorization": DIRECTORY_TOKEN})).json() for registry in registries
    ]
    assert served[0] == served[1]
    assert served[0]["networks"][network]["serial"]["format"] == "FFFF"
    assert key["id"] in served[0]["authorizations"]


async def test_a_parser_that_is_saved_at_one_runs_at_the_other(registries: list[Registry]) -> None:
    one, other = registries
    device = await one.create_device()
    assert await other.do("POST", "/data", {"variable": "mark", "value": 1}, device.headers) == "1 Data Added"
    for value in (7, 8):
        source = f"payload = [{{ variable: 'decoded', value: {value} }}];".encode()
        parser = {"payload_decoder": b64encode(source).decode()}
        await one.do("PUT", f"/integration/connector/{device.connector}", parser)

        async def decodes(value: int = value) -> bool:
            await other.do("POST", "/data", {"variable": "mark", "value": 1}, device.headers)
            (newest,) = await one.do("GET", "/data?query=last_item", None, device.headers)
            return (newest["variable"], newest["value"]) == ("decoded", value)

        await eventually(decodes, within=IN_FORCE_SECONDS)


async def test_an_uplink_that_comes_to_both_at_once_is_stored_once(registries: list[Registry]) -> None:
    device = await registries[0].create_device()
    responses = await asyncio.gather(*(each.post(device, mark) for mark in range(MANY) for each in registries))
    assert {response.status_code for response in responses} == {200}
    told = sorted(response.json()["result"] for response in responses)
    assert told == ["0 Data Added"] * MANY + ["1 Data Added"] * MANY
    assert await registries[1].do("GET", f"/device/{device.id}/data_amount") == MANY


async def test_what_ends_at_one_ends_at_the_other_within_seconds(registries: list[Registry]) -> None:
    one, other = registries
    devices = removed, without_token, inactive = [await one.create_device() for _ in range(3)]
    assert [(await other.post(device, 0)).status_code for device in devices] == [200] * 3
    await one.do("DELETE", f"/device/{removed.id}")
    await one.do("DELETE", f"/device/token/{without_token.headers['Device-Token']}")
    await one.do("PUT", f"/device/{inactive.id}", {"active": False})
    assert [(await one.post(device, 1)).status_code for device in devices] == [401, 401, 403]

    async def has_ended() -> bool:
        return [(await other.post(device, 1)).status_code for device in devices] == [401, 401, 403]

    await eventually(has_ended, within=IN_FORCE_SECONDS)


async def test_connections_that_are_cut_under_load_lose_nothing_and_store_nothing_twice(
    registries: list[Registry], processes: list[Process], database: str
) -> None:
    """Whoever posts meanwhile is answered 200 or 503, and posts again what was not stored, to whichever registry."""
    device = await registries[0].create_device()
    marks = iter(range(UPLINKS))
    done: list[int] = []
    statuses: set[int] = set()

    async def send(registry: Iterator[Registry]) -> None:
        for mark in marks:
            while (response := await next(registry).post(device, mark)).status_code != 200:
                statuses.add(response.status_code)
            done.append(mark)

    async def cut() -> None:
        for number in range(CUTS):
            await eventually(lambda number=number: len(done) >= number * UPLINKS // CUTS, within=120)  # type: ignore[misc]
            await asyncio.to_thread(execute, database, CUT)

    senders = (send(itertools.cycle(registries[number % 2 :] + registries[: number % 2])) for number in range(SENDERS))
    await asyncio.gather(cut(), *senders)
    assert statuses <= {503}
    assert statuses, "nobody noticed that the connections were cut"
    kept = await registries[0].do("GET", f"/device/{device.id}/data?variables=mark&qty=1000")
    assert sorted(record["value"] for record in kept) == list(range(UPLINKS))
    assert all("request.broken" not in process.log for process in processes)
