"""The whole pipeline as real processes, for system tests and fault scripts; imports nothing of Sluice."""

import json
import ssl
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from tests.support.processes import SLUICE, STUB, Process

AUTHORIZATION = "at-system-authorization"
LORAWAN_AUTHORIZATION = "at-system-lorawan"
NETWORK_TOKEN = "n-system-network"
RETRY_STEPS = ("200ms", "500ms")

DIRECTORY = """
[downstream]
url = "{downstream}"

[networks.plain]
token = "${{NETWORK_TOKEN}}"

[networks.lorawan]
token = "${{NETWORK_TOKEN}}"
serial = {{ format = "FF-FF-FF-FF-FF-FF-FF-FF", force_case = "upper" }}

[authorizations.factory]
token = "${{FACTORY_AUTHORIZATION}}"
network = "plain"

[authorizations.lorawan]
token = "${{LORAWAN_AUTHORIZATION}}"
network = "lorawan"
additional_parameters = "serial=deviceInfo.devEui;payload=data;encoding=base64;port=fPort"
"""


class System:
    """A stub downstream, and as many ingests and workers as a test starts, on queues of their own.

    ``stub_trust`` is how to verify a stub that speaks HTTPS.
    """

    def __init__(
        self,
        queue: str,
        folder: Path,
        *,
        stub_options: tuple[str, ...] = (),
        stub_trust: ssl.SSLContext | None = None,
    ) -> None:
        self.prefix = f"test-{uuid.uuid4().hex[:12]}"
        self.directory = folder / "sluice.toml"
        self.processes: list[Process] = []
        self.stub = self._start(
            sys.executable, str(STUB), "--port", "0", "--network-token", NETWORK_TOKEN, *stub_options
        )
        self._stub_trust = stub_trust or True
        self.stub_url = f"{'https' if stub_trust else 'http'}://127.0.0.1:{self.stub.wait_for_text()}"
        self.directory.write_text(DIRECTORY.format(downstream=self.stub_url))
        self.environment = {
            "SLUICE_QUEUE": queue,
            "SLUICE_QUEUE_PREFIX": self.prefix,
            "SLUICE_DIRECTORY": str(self.directory),
            "SLUICE_INGEST_PORT": "0",
            "SLUICE_WORKER_PORT": "0",
            "SLUICE_CONSOLE_PORT": "0",
            "SLUICE_RETRY_STEPS": "0.2,0.5",
            "SLUICE_BLIP_SECONDS": "0.2",
            "SLUICE_LOG_FORMAT": "json",
            "NETWORK_TOKEN": NETWORK_TOKEN,
            "FACTORY_AUTHORIZATION": AUTHORIZATION,
            "LORAWAN_AUTHORIZATION": LORAWAN_AUTHORIZATION,
        }

    @property
    def workers_at_once(self) -> int:
        """How many workers may run: a queue in a file has one consumer."""
        return 1 if self.environment["SLUICE_QUEUE"].startswith("sqlite:") else 2

    def start_ingest(self, **settings: str) -> Process:
        """Start an ingest and wait until it takes uplinks."""
        ingest = self._start(str(SLUICE), "ingest", environment=self.environment | settings)
        ingest.wait_for_line("gate.opened")
        return ingest

    def start_worker(self, **settings: str) -> Process:
        """Start a worker and wait until it listens."""
        worker = self._start(str(SLUICE), "worker", environment=self.environment | settings)
        worker.wait_for_line("http.listening")
        return worker

    def run(self, *arguments: str, **settings: str) -> Process:
        """Start any other ``sluice`` command."""
        return self._start(str(SLUICE), *arguments, environment=self.environment | settings)

    def dead_letters(self) -> list[dict[str, Any]]:
        """Ask the command line for the dead letters."""
        listing = self.run("dead", "list", "--json")
        assert listing.wait() == 0, listing.log
        listing.close()  # what it wrote has all been read then
        return [line for line in listing.lines if "uplink_id" in line]

    def arrived(self) -> dict[str, int]:
        """Give the counts of what the stub took."""
        counts: dict[str, int] = httpx.get(f"{self.stub_url}/arrived", verify=self._stub_trust).json()
        return counts

    def arrived_ids(self) -> dict[str, int]:
        """Give how often each uplink id came."""
        ids: dict[str, int] = httpx.get(f"{self.stub_url}/arrived/ids", timeout=30, verify=self._stub_trust).json()
        return ids

    def posts(self) -> list[dict[str, Any]]:
        """Give the newest posts that the stub took."""
        posts: list[dict[str, Any]] = httpx.get(f"{self.stub_url}/arrived/posts", verify=self._stub_trust).json()
        return posts

    def control_stub(self, **settings: object) -> None:
        """Change how the stub behaves from now on."""
        httpx.put(f"{self.stub_url}/control", content=json.dumps(settings), verify=self._stub_trust).raise_for_status()

    def close(self) -> None:
        """End every process that is left."""
        for process in self.processes:
            process.close()

    def _start(self, *command: str, environment: Mapping[str, str] | None = None) -> Process:
        process = Process(*command, environment=environment)
        self.processes.append(process)
        return process
