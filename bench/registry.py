"""`sluice registry` with few devices and with many: resolving serials, taking uplinks one by one and in bulk.

    .venv/bin/python -m bench.registry [--devices 200000] [--rounds 3]

Real processes over HTTP, each on a database of its own that is filled beforehand: SQLite, and the PostgreSQL at
SLUICE_TEST_DATABASE (else the one on this machine). All of them run at a time, and take turns within each round, so
that a slow minute of the machine hits all of them; the median counts. The client shares the machine's cores.
"""

import argparse
import asyncio
import itertools
import os
import random
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from pydantic import SecretStr
from rich.console import Console
from rich.progress import track
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from common.settings import Settings
from registry.database_url import create_database
from registry.entries import NewConnector, NewKey, NewNetwork, SerialNumber
from registry.ids import create_ids
from registry.schema import DEVICE_TOKENS, DEVICES
from registry.sealing import Sealer
from registry.service import Registry
from registry.tokens import create_device_token
from tests.support.postgresql import find_server, temporary_database
from tests.support.processes import SLUICE, Process

FEW = 1_000
DEVICES_OF_A_NETWORK = 200
CONNECTORS_NETWORKS = 10
FIELDS = {"payload": "0011AA22BB33", "port": 10, "rssi": -70, "snr": 9.5, "fcnt": 4711}
"""What an uplink holds beside its serial: six records in all."""

RESOLVERS = 8
SENDERS = 16
BULK_SENDERS = 2
BULK_POSTS = 200
"""As a worker sends them."""

RESOLVES = 3_000
POSTS = 3_000
BULK_UPLINKS = 20_000


@dataclass(frozen=True)
class Fleet:
    """What a registry was filled with; a device's network is its number modulo theirs."""

    network_tokens: list[str]
    keys: list[str]
    device_tokens: list[str]

    def serial(self, device: int) -> str:
        return f"{device:016X}"


@dataclass(frozen=True)
class Places:
    """Where devices are created."""

    profile_id: str
    networks: list[str]
    connectors: list[str]

    def choose(self, number: int) -> dict[str, str]:
        """Give the columns of the device with this number."""
        place = number % len(self.networks)
        connector_id = self.connectors[place // CONNECTORS_NETWORKS]
        return {"profile_id": self.profile_id, "network_id": self.networks[place], "connector_id": connector_id}


@dataclass(frozen=True)
class System:
    """A registry that runs."""

    database: str
    fleet: Fleet
    url: str
    pid: int

    @property
    def devices(self) -> int:
        return len(self.fleet.device_tokens)


@dataclass(frozen=True)
class Measurement:
    """One series of requests. ``rate`` counts uplinks a second, and ``processor_ms`` is what one costs the registry.

    The latter says something on a busy machine too; what PostgreSQL itself takes is not in it.
    """

    rate: float
    p50_ms: float
    p99_ms: float
    processor_ms: float


Results = dict[tuple[str, str, int], list[Measurement]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--devices", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        systems = [
            start_system(stack, folder / f"{database}-{devices}", database, devices)
            for database in ("SQLite", "PostgreSQL")
            for devices in (FEW, arguments.devices)
            if database == "SQLite" or has_postgresql()
        ]
        report(asyncio.run(measure(systems, arguments.rounds)))


def has_postgresql() -> bool:
    try:
        find_server()
    except pytest.skip.Exception as missing:
        print(f"bench: SQLite alone: {missing}", file=sys.stderr)
        return False
    return True


def start_system(stack: ExitStack, folder: Path, database: str, devices: int) -> System:
    """Fill a database, and run a registry on it until the stack is left."""
    url = None if database == "SQLite" else stack.enter_context(temporary_database(find_server()))
    secret = SecretStr(secrets.token_hex(32))
    began = time.monotonic()
    fleet = asyncio.run(fill(folder, url, secret, devices))
    print(f"{database}: {devices:,} devices in {time.monotonic() - began:.0f} s", file=sys.stderr)
    environment = {
        "SLUICE_DATA": str(folder),
        "SLUICE_SECRET_KEY": secret.get_secret_value(),
        "SLUICE_REGISTRY_PORT": "0",
        **({} if url is None else {"SLUICE_DATABASE": url.get_secret_value()}),
    }
    process = Process(str(SLUICE), "registry", environment=environment)
    stack.callback(process.close)
    return System(database, fleet, process.url, process.pid)


# Filling


async def fill(folder: Path, url: SecretStr | None, secret: SecretStr, devices: int) -> Fleet:
    """Create networks, connectors and keys as a profile would, and the devices past the API: it would take an hour."""
    async with Registry(Settings(data=folder, database=url, secret_key=secret)) as registry:
        assert registry.first_start is not None
        profile_id = registry.first_start.profile_id
        rule = SerialNumber(mask="FF-FF-FF-FF-FF-FF-FF-FF", case="upper")
        networks = [
            (await registry.networks.create(profile_id, NewNetwork(name=f"Network {number}", serial_number=rule))).id
            for number in range(max(devices // DEVICES_OF_A_NETWORK, 1))
        ]
        connectors = [
            (await registry.connectors.create(profile_id, NewConnector(name="Sensor", networks=group))).id
            for group in split(networks, CONNECTORS_NETWORKS)
        ]
        keys = [
            (await registry.keys.create(profile_id, NewKey(name="Key", network=network_id))).token.get_secret_value()
            for network_id in networks
        ]
        tokens = await registry.networks.tokens()
    database, sealer = create_database(url, folder), Sealer(secret)
    places = Places(profile_id, networks, connectors)
    device_tokens: list[str] = []
    for numbers in split(list(range(devices)), 5_000):
        async with database.writing() as connection:
            device_tokens += await add_devices(connection, sealer, places, numbers)
    if url is not None:
        async with database.writing() as connection:
            await connection.execute(text("ANALYZE"))  # which the server would do by itself within minutes
    await database.close()
    return Fleet([tokens[network_id].get_secret_value() for network_id in networks], keys, device_tokens)


async def add_devices(connection: AsyncConnection, sealer: Sealer, places: Places, numbers: list[int]) -> list[str]:
    """Insert these devices, each with a token; give the tokens."""
    ids, token_ids = create_ids(len(numbers)), create_ids(len(numbers))
    tokens = [create_device_token() for _ in numbers]
    devices = [
        {"id": device_id, "name": f"Device {number}", "serial": f"{number:016X}", **places.choose(number)}
        for number, device_id in zip(numbers, ids, strict=True)
    ]
    sealed = [
        {"id": token_id, "device_id": device_id, **sealer.columns(token, token_id)}
        for device_id, token_id, token in zip(ids, token_ids, tokens, strict=True)
    ]
    await connection.execute(insert(DEVICES), devices)
    await connection.execute(insert(DEVICE_TOKENS), sealed)
    return [token.get_secret_value() for token in tokens]


def split(members: list[Any], size: int) -> list[list[Any]]:
    return [members[start : start + size] for start in range(0, len(members), size)]


# Measuring


async def measure(systems: list[System], rounds: int) -> Results:
    """Give the measurements by work, database and number of devices."""
    works: dict[str, Callable[[aiohttp.ClientSession, System], Awaitable[Measurement]]] = {
        "resolve": resolve,
        "POST /data": post,
        f"POST /data/bulk, {BULK_POSTS} posts": post_bulk,
    }
    results: Results = {(work, each.database, each.devices): [] for work in works for each in systems}
    cells = [(work, system) for _ in range(rounds) for work in works for system in systems]
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        for system in systems:
            await resolve(session, system)  # what is asked first is asked of cold caches
        for work, system in track(cells, description="measuring", console=Console(stderr=True)):
            results[work, system.database, system.devices].append(await works[work](session, system))
    return results


async def resolve(session: aiohttp.ClientSession, system: System) -> Measurement:
    """Resolve serials in no order, each with the key of its network: a worker's cache has missed them."""
    fleet = system.fleet

    async def ask() -> None:
        device = random.randrange(system.devices)
        place = device % len(fleet.keys)
        path = f"/integration/network/resolve/{fleet.serial(device)}/{fleet.keys[place]}"
        async with session.get(system.url + path, headers={"Authorization": fleet.network_tokens[place]}) as response:
            assert (await response.json())["result"] == fleet.device_tokens[device]

    return await run(system, ask, RESOLVES, RESOLVERS)


async def post(session: aiohttp.ClientSession, system: System) -> Measurement:
    async def ask() -> None:
        entry = create_post(system)
        headers = {"Device-Token": entry["device_token"], "Sluice-Uplinks": entry["uplinks"][0]}
        async with session.post(f"{system.url}/data", data=orjson.dumps(entry["records"]), headers=headers) as response:
            assert (await response.json())["status"] is True, await response.text()

    return await run(system, ask, POSTS, SENDERS)


async def post_bulk(session: aiohttp.ClientSession, system: System) -> Measurement:
    async def ask() -> None:
        body = orjson.dumps({"posts": [create_post(system) for _ in range(BULK_POSTS)]})
        async with session.post(f"{system.url}/data/bulk", data=body) as response:
            answers = orjson.loads(await response.read())["result"]
        assert all(each["code"] == 200 for each in answers), answers

    return await run(system, ask, BULK_UPLINKS // BULK_POSTS, BULK_SENDERS, uplinks=BULK_POSTS)


def create_post(system: System) -> dict[str, Any]:
    """Give an uplink of any of the devices, as a worker would post it."""
    device = random.randrange(system.devices)
    group = f"{next(GROUPS):024x}"
    fields = {"serial": system.fleet.serial(device), **FIELDS}
    records = [
        {"variable": name, "value": value, "group": group, "time": "2026-11-21T12:00:00.000Z"}
        for name, value in fields.items()
    ]
    return {"device_token": system.fleet.device_tokens[device], "uplinks": [f"{group}/0"], "records": records}


GROUPS: Iterator[int] = itertools.count(1)


async def run(
    system: System, ask: Callable[[], Awaitable[None]], times: int, senders: int, *, uplinks: int = 1
) -> Measurement:
    """Ask so many times; each sender waits for its answer before it asks again."""
    turns = iter(range(times))
    seconds: list[float] = []

    async def send() -> None:
        for _ in turns:
            began = time.perf_counter()
            await ask()
            seconds.append(time.perf_counter() - began)

    began, before = time.perf_counter(), read_processor_seconds(system.pid)
    await asyncio.gather(*(send() for _ in range(senders)))
    taken, used = time.perf_counter() - began, read_processor_seconds(system.pid) - before
    p99 = statistics.quantiles(seconds, n=100)[98]
    count = times * uplinks
    return Measurement(count / taken, statistics.median(seconds) * 1000, p99 * 1000, used / count * 1000)


def read_processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def report(results: Results) -> None:
    """Print a Markdown table, as docs/performance.md holds it."""
    print("| work | database | devices | per second | spread | p50 ms | p99 ms | processor ms | p50 of the small one |")
    print("| --- | --- | ---: | ---: | --- | ---: | ---: | ---: | ---: |")
    for (work, database, devices), series in results.items():
        rates = [each.rate for each in series]
        p50, p99, processor = (find_median(series, name) for name in ("p50_ms", "p99_ms", "processor_ms"))
        share = p50 / find_median(results[work, database, FEW], "p50_ms")
        print(
            f"| {work} | {database} | {devices:,} | {statistics.median(rates):,.0f} "
            f"| {min(rates):,.0f} to {max(rates):,.0f} | {p50:.1f} | {p99:.1f} | {processor:.2f} | {share:.2f} |"
        )


def find_median(series: list[Measurement], name: str) -> float:
    values: list[float] = [getattr(each, name) for each in series]
    return statistics.median(values)


if __name__ == "__main__":
    main()
