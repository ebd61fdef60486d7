"""``sluice run --demo``: a few uplinks through the running system, and a table of where each of them landed."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.run import Running
from common.curl import make_sample, write_send_curl
from common.settings import Settings
from registry.entries import KeyEntry, NetworkEntry, NewDevice, NewKey

LANDING_SECONDS = 30.0
"""Far longer than it takes; what has not landed by then is said to be on its way."""

POLL_SECONDS = 0.05

SERIALS = ("AA-BB-01", "AA-BB-02", "0A1B2C3D4E5F6071")

PLAIN_KEY = "demo"
NESTED_KEY = "demo-nested"
FIELD_MAPS = {PLAIN_KEY: "", NESTED_KEY: "serial=deviceInfo.devEui;payload=data;encoding=base64;port=fPort"}


@dataclass(frozen=True, slots=True)
class Sample:
    """One request of the demo."""

    what: str
    body: Any
    key: str = PLAIN_KEY


SAMPLES = (
    Sample(
        "one uplink",
        {"serial": "AA-BB-01", "payload": "0011AA", "port": 10, "temperature": 21.5, "lat": 35.77, "lng": -78.67},
    ),
    Sample(
        "a batch for two devices",
        [
            {"serial": "AA-BB-01", "payload": "0022BB", "port": 10},
            {"serial": "aa-bb-02", "humidity": 48, "battery": {"voltage": 3.61}},
        ],
    ),
    Sample(
        "a nested serial, a payload in base64",
        {"deviceInfo": {"devEui": "0a1b2c3d4e5f6071"}, "data": "AQID/w==", "fPort": "7"},
        NESTED_KEY,
    ),
    Sample("a batch with a bad item", [{"serial": "AA-BB-01", "payload": "00"}, {"devadr": "AA-BB-02"}]),
    Sample("a serial that nobody knows", {"serial": "CC-DD-99", "payload": "00"}),
)


@dataclass(frozen=True, slots=True)
class Landing:
    """What became of one sample: the answer to its request, and where its uplinks are now."""

    sample: Sample
    status: int
    message: str
    places: Sequence[str]


async def show_demo(running: Running) -> None:
    """Create what the demo needs, send the samples, print the table and the ``curl`` to go on with."""
    await running.ingest.wait_until_ready()
    demo = Demo(running)
    keys = await demo.prepare()
    await running.directory.refresh()
    landings = [await demo.send(sample, keys[sample.key]) for sample in SAMPLES]
    console = Console(highlight=False)
    console.print(tabulate(landings))
    console.print(Text(write_invitation(running.settings, keys[PLAIN_KEY].token)), soft_wrap=True)


def write_invitation(settings: Settings, token: SecretStr) -> str:
    """Say where everything is, and how to send a further uplink."""
    return f"""
It runs until Ctrl-C, and keeps everything in {settings.data}/. Try it:

{write_send_curl(settings.url_of(settings.ingest_port), token, make_sample(SERIALS[0]))}

The console, for whoever has the profile's token: {settings.url_of(settings.console_port)}/"""


class Demo:
    """Sends to the ingest and looks into the registry and the dead letters of the same process."""

    def __init__(self, running: Running) -> None:
        self._registry = running.registry
        self._queue = running.queue
        self._ingest_app = running.ingest.app
        self._devices: dict[str, SecretStr] = {}

    async def prepare(self) -> dict[str, KeyEntry]:
        """Create the devices and the keys, unless an earlier run did; give the keys by name."""
        (profile, *_) = await self._registry.profiles.list_all()
        network = next(n for n in await self._registry.networks.list_for(profile.id) if n.name == "Generic Endpoint")
        (connector, *_) = await self._registry.connectors.list_for(profile.id)
        there = {device.serial for device in await self._registry.devices.list_for(profile.id)}
        for serial in SERIALS:
            if serial not in there:
                new = NewDevice(name=f"Demo {serial}", network=network.id, connector=connector.id, serie_number=serial)
                await self._registry.devices.create(profile.id, new)
            self._devices[serial] = await self._registry.devices.resolve(network, serial, profile.id)
        return await self._prepare_keys(profile.id, network)

    async def send(self, sample: Sample, key: KeyEntry) -> Landing:
        """Post one sample, and wait until all of its uplinks have landed."""
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(self._ingest_app), base_url="http://ingest"
        ) as client:
            response = await client.post(
                "/uplink", json=sample.body, headers={"Authorization": key.token.get_secret_value()}
            )
        answer = response.json()
        if response.status_code != httpx.codes.ACCEPTED:
            return Landing(sample, response.status_code, answer["message"], ["nowhere: nothing of it was accepted"])
        expected = len(sample.body) if isinstance(sample.body, list) else 1
        places = await self._wait_for_places(answer["group"], expected)
        return Landing(sample, response.status_code, answer["result"], places)

    async def _prepare_keys(self, profile_id: str, network: NetworkEntry) -> dict[str, KeyEntry]:
        keys = {key.name: key for key in await self._registry.keys.list_for(profile_id)}
        for name, field_map in FIELD_MAPS.items():
            if name not in keys:
                new = NewKey(name=name, verification_code=field_map, network=network.id)
                keys[name] = await self._registry.keys.create(profile_id, new)
        return keys

    async def _wait_for_places(self, group: str, expected: int) -> list[str]:
        places: list[str] = []
        try:
            async with asyncio.timeout(LANDING_SECONDS):
                while len(places) < expected:
                    await asyncio.sleep(POLL_SECONDS)
                    places = [*await self._find_records(group), *await self._find_letters(group)]
        except TimeoutError:
            places.append("not all of it yet: still on its way")
        return places

    async def _find_records(self, group: str) -> list[str]:
        found = []
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(self._registry.app), base_url="http://registry"
        ) as client:
            for serial, token in self._devices.items():
                response = await client.get(
                    "/data", params={"groups": group, "qty": 100}, headers={"Device-Token": token.get_secret_value()}
                )
                if records := response.json()["result"]:
                    found.append(f"device {serial}: {describe_records(records)}")
        return found

    async def _find_letters(self, group: str) -> list[str]:
        return [
            f"dead letter, {letter.reason}: {letter.detail}"
            async for letter in self._queue.dead_letters()
            if letter.uplink_id.startswith(f"{group}/")
        ]


def describe_records(records: Sequence[dict[str, Any]]) -> str:
    """Say the values of one uplink in a line, in the order in which they were posted."""
    return ", ".join(f"{record['variable']} {record['value']}" for record in reversed(records))


def tabulate(landings: Sequence[Landing]) -> Table:
    """Give the table of what was sent, how it was answered, and where it landed."""
    table = Table("sent", "answer", "where it landed", title="The main job", title_justify="left", show_lines=True)
    for landing in landings:
        style = "green" if landing.status == httpx.codes.ACCEPTED else "yellow"
        table.add_row(
            landing.sample.what, Text(f"{landing.status} {landing.message}", style), Text("\n".join(landing.places))
        )
    return table
