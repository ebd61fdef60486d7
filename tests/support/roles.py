"""A registry, and the others that go by it over HTTP, as processes; imports nothing of Sluice."""

import json
import uuid
from pathlib import Path
from typing import Any

from tests.support.ports import find_free_port
from tests.support.processes import SLUICE, Process

DIRECTORY_TOKEN = "system-directory-token"
PROFILE_TOKEN = "p-system-profile-token"


class Roles:
    """A registry, an ingest and a worker, each a process of its own, and the operator's commands."""

    def __init__(self, queue: str, folder: Path) -> None:
        self.prefix = f"test-{uuid.uuid4().hex[:12]}"
        port = find_free_port()  # the same after a restart, as a deployment's is
        self.registry_url = f"http://127.0.0.1:{port}"
        self.environment = {
            "SLUICE_DATA": str(folder / "var"),
            "SLUICE_QUEUE": queue,
            "SLUICE_QUEUE_PREFIX": self.prefix,
            "SLUICE_DIRECTORY": self.registry_url,
            "SLUICE_DIRECTORY_TOKEN": DIRECTORY_TOKEN,
            "SLUICE_REGISTRY_URL": self.registry_url,
            "SLUICE_PROFILE_TOKEN": PROFILE_TOKEN,
            "SLUICE_REGISTRY_PORT": str(port),
            "SLUICE_INGEST_PORT": "0",
            "SLUICE_WORKER_PORT": "0",
            "SLUICE_CONSOLE_PORT": "0",
            "SLUICE_RETRY_STEPS": "0.2,0.5",
            "SLUICE_BLIP_SECONDS": "0.2",
            "SLUICE_LOG_FORMAT": "json",
        }
        self.processes: list[Process] = []

    def start(self, role: str, **settings: str) -> Process:
        """Start a role, and wait until it listens."""
        process = self.run(role, **settings)
        process.wait_for_line("http.listening")
        return process

    def run(self, *arguments: str, **settings: str) -> Process:
        process = Process(str(SLUICE), *arguments, environment=self.environment | settings)
        self.processes.append(process)
        return process

    def command(self, *arguments: str) -> dict[str, Any]:
        """Run one of the operator's commands, and give the document that it printed."""
        done = self.run(*arguments, "--json")
        code = done.wait()
        done.close()  # what it wrote has all been read then
        assert code == 0, done.log
        document: dict[str, Any] = json.loads(done.log)
        return document

    def close(self) -> None:
        for process in self.processes:
            process.close()
