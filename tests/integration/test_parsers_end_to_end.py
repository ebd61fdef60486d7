"""A LoRaWAN uplink through ingest, queue, worker and registry, decoded by parsers; and a parser that is mended.

Everything runs in the process that an operator starts with ``sluice run``.
"""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.processes import SLUICE, Process
from tests.support.waiting import eventually

PROFILE_TOKEN = "p-parsers-end-to-end"
SERIAL = "0A1B2C3D4E5F6071"
UPLINK = {"deviceInfo": {"devEui": SERIAL}, "data": "AOsDUgo=", "fPort": 2, "time": "2026-03-01T10:20:30Z"}

NETWORK = """
const item = payload.find((x) => x.variable === 'payload');
item.value = item.value.toUpperCase();
"""
BROKEN = """
const item = payload.find((x) => x.variable === 'frame');
payload = [{ variable: 'size', value: item.value.length }];
"""
CONNECTOR = """
const bytes = Buffer.from(payload.find((x) => x.variable === 'payload').value, 'hex');
const offset = Number(device.params.find((p) => p.key === 'offset').value);
payload = [
  { variable: 'temperature', value: bytes.readInt16BE(0) / 10 + offset, unit: '°C' },
  { variable: 'battery', value: bytes.readUInt16BE(2) / 1000, unit: 'V' },
];
"""


class Deployment:
    """One process with every role, and the operator's commands beside it."""

    def __init__(self, folder: Path) -> None:
        self._environment = {
            "SLUICE_DATA": str(folder / "var"),
            "SLUICE_QUEUE": f"sqlite:{folder / 'queue.db'}",
            "SLUICE_DIRECTORY": str(folder / "sluice.toml"),
            "SLUICE_PROFILE_TOKEN": PROFILE_TOKEN,
            "SLUICE_INGEST_PORT": "0",
            "SLUICE_REGISTRY_PORT": "0",
            "SLUICE_WORKER_PORT": "0",
            "SLUICE_CONSOLE_PORT": "0",
            "SLUICE_LOG_FORMAT": "json",
        }
        self._processes: list[Process] = []
        self._running = self._start("run")

    async def find_url(self, role: str) -> str:
        def listening() -> list[str]:
            lines = self._running.lines
            return [line["url"] for line in lines if line.get("event") == "http.listening" and line["role"] == role]

        return (await eventually(listening))[0]

    def command(self, *arguments: str) -> str:
        """Run one of the operator's commands, and give what it printed."""
        done = self._start(*arguments)
        code = done.wait()
        done.close()
        assert code == 0, done.log
        return done.log

    def list_dead(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.command("dead", "list", "--json").splitlines() if line[:1] == "{"]

    def close(self) -> None:
        for process in self._processes:
            process.close()

    def _start(self, *arguments: str) -> Process:
        process = Process(str(SLUICE), *arguments, environment=self._environment)
        self._processes.append(process)
        return process


class Profile:
    """What its owner does in the registry, over HTTP."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, headers={"token": PROFILE_TOKEN}, timeout=30)

    def send(self, method: str, path: str, **document: Any) -> Any:
        response = self._client.request(method, path, json=document)
        assert response.json()["status"] is True, response.text
        return response.json()["result"]

    def read_data(self, token: str) -> dict[str, Any]:
        response = self._client.get("/data", params={"qty": 100}, headers={"token": token})
        return {record["variable"]: record for record in response.json()["result"]}

    def close(self) -> None:
        self._client.close()


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    deployment = Deployment(tmp_path)
    yield deployment
    deployment.close()


def encode(source: str) -> str:
    return base64.b64encode(source.encode()).decode()


async def test_an_uplink_is_decoded_and_a_mended_parser_decodes_its_dead_letter(deployment: Deployment) -> None:
    profile = Profile(await deployment.find_url("registry"))
    serial_number = {"mask": "FF-FF-FF-FF-FF-FF-FF-FF", "case": "upper"}
    network = profile.send(
        "POST", "/integration/network", name="LoRaWAN", serial_number=serial_number, payload_decoder=encode(NETWORK)
    )["network"]
    connector = profile.send(
        "POST", "/integration/connector", name="Sensor", networks=[network], payload_decoder=encode(BROKEN)
    )["connector"]
    params = [{"key": "offset", "value": "0.5", "sent": False}]
    token = profile.send(
        "POST",
        "/device",
        name="A",
        network=network,
        connector=connector,
        serie_number=SERIAL,
        configuration_params=params,
    )["token"]
    field_map = "serial=deviceInfo.devEui;payload=data;encoding=base64;port=fPort"
    key = profile.send("POST", "/serviceauth", name="Gateways", network=network, verification_code=field_map)["token"]

    ingest = await deployment.find_url("ingest")

    def post() -> bool:
        response = httpx.post(f"{ingest}/uplink", json=UPLINK, headers={"Authorization": key}, timeout=30)
        assert response.status_code in {202, 403}, response.text  # the key is in force within a moment
        return response.status_code == 202

    await eventually(post)
    (letter,) = await eventually(deployment.list_dead)
    assert letter["reason"] == "parser_failed"
    assert "connector parser, line 3, column 44: TypeError: Cannot read properties of undefined" in letter["detail"]
    assert profile.read_data(token) == {}

    profile.send("PUT", f"/integration/connector/{connector}", payload_decoder=encode(CONNECTOR))
    deployment.command("dead", "replay")
    records = await eventually(lambda: profile.read_data(token))
    assert {name: (record["value"], record["unit"]) for name, record in records.items()} == {
        "temperature": (24, "°C"),
        "battery": (0.85, "V"),
    }
    assert records["temperature"]["time"].startswith("2026-03-01T10:20:30")
    assert deployment.list_dead() == []
    profile.close()
