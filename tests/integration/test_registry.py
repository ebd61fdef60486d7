"""The registry behind a real HTTP server, and a worker's stages in front of it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from common.directory.model import AuthorizationKey, Directory, Network
from common.directory.served import parse_served_directory
from common.envelope import Envelope, Item
from common.serial import Serial
from common.settings import Settings
from registry.entries import NewDevice, NewKey
from registry.service import Registry
from tests.support.directories import StaticDirectory
from tests.support.served_registry import serve
from workers.answers import RejectedError, UnauthorizedError
from workers.downstream import Downstream
from workers.governor import Governor
from workers.http_client import HttpClient, create_client
from workers.key_watch import KeyWatch
from workers.outcome import Delivered
from workers.pipeline import Pipeline
from workers.posting import Posting
from workers.resolver import Resolver

SERIAL = "A/B"
GROUP = "6a1f0c52d3b19e4477aa01c9"


class Worker:
    """A worker's stages, for the only key of a directory."""

    def __init__(self, client: HttpClient, directory: Directory) -> None:
        self.key: AuthorizationKey = directory.keys[0]
        self.network: Network = directory.networks[0]
        source = StaticDirectory(directory)
        governor = Governor(source, crowd=100)
        self.downstream = Downstream(client, source, governor, in_flight=8, blip_seconds=0)
        resolver = Resolver(self.downstream.resolve, cache_size=100, found_ttl=60, unknown_ttl=60)
        self._pipeline = Pipeline(source, resolver, Posting(self.downstream, resolver), KeyWatch())

    async def process(self, *items: tuple[int, Item]) -> int:
        """Process items of one request; give the number that were delivered."""
        arrived_at = datetime(2026, 11, 21, tzinfo=UTC)
        envelope = Envelope(group=GROUP, key_id=self.key.id, arrived_at=arrived_at, query={}, items=items)
        return sum(isinstance(outcome, Delivered) for outcome in await self._pipeline.process(envelope))


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient() as client:
        yield client


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    """Where the registry listens: with one key, and one device."""
    async with Registry(Settings(data=tmp_path, registry_port=0)) as registry, serve(registry) as url:
        first = registry.first_start
        assert first is not None
        await registry.keys.create(first.profile_id, NewKey(name="Factory"))
        new = NewDevice(name="A", network=first.network_id, connector=first.connector_id, serie_number=SERIAL)
        await registry.devices.create(first.profile_id, new)
        yield url


@pytest.fixture
async def worker(url: str, tmp_path: Path) -> AsyncIterator[Worker]:
    """A worker whose directory a second opening of the registry gives, as another process would."""
    async with Registry(Settings(data=tmp_path, registry_port=0)) as registry, create_client(Settings()) as way:
        document = await registry.directory.read()
        yield Worker(way, parse_served_directory(document.content, downstream_url=url).directory)


async def read_values(worker: Worker, client: httpx.AsyncClient, url: str, variable: str) -> list[Any]:
    token = await worker.downstream.resolve(Serial(SERIAL), worker.key, worker.network)
    headers = {"Device-Token": token.get_secret_value()}
    response = await client.get(f"{url}/data?variables={variable}", headers=headers)
    return sorted(record["value"] for record in response.json()["result"])


async def test_a_worker_resolves_and_posts(worker: Worker, client: httpx.AsyncClient, url: str) -> None:
    decoded, raw = {"serial": "a/b", "temperature": 20}, {"serial": "A/B", "payload": "0011AA"}
    assert await worker.process((0, decoded), (1, raw)) == 2
    assert await read_values(worker, client, url, "temperature") == [20]
    assert await read_values(worker, client, url, "payload") == ["0011AA"]


async def test_what_is_processed_again_is_stored_once_however_its_uplinks_shared_a_post(
    worker: Worker, client: httpx.AsyncClient, url: str
) -> None:
    """The second time one uplink is known and its neighbours in the post are not; the worker divides the post."""
    items: list[tuple[int, Item]] = [(index, {"serial": SERIAL, "temperature": index}) for index in range(5)]
    assert await worker.process(items[2]) == 1
    assert await worker.process(*items) == 5
    assert await worker.process(*items) == 5
    assert await read_values(worker, client, url, "temperature") == [0, 1, 2, 3, 4]


async def test_an_unknown_serial_is_for_good_and_a_bad_token_is_not_the_uplinks_fault(worker: Worker) -> None:
    with pytest.raises(RejectedError, match="404: Device Not Found"):
        await worker.downstream.resolve(Serial("UNKNOWN"), worker.key, worker.network)
    stranger = replace(worker.network, token=worker.key.token)
    with pytest.raises(UnauthorizedError, match="401: Authorization Denied"):
        await worker.downstream.resolve(Serial(SERIAL), worker.key, stranger)
