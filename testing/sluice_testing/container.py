"""The container: ``sluice run``, with every role in one process and the queue in a file."""

import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import CompositeWaitStrategy, HttpWaitStrategy

INGEST_PORT = 8080
REGISTRY_PORT = 8081
START_SECONDS = 60

QUICK_SETTINGS = {"SLUICE_DRAIN_DELAY": "0", "SLUICE_RETRY_STEPS": "0.5", "SLUICE_RETRY_ATTEMPTS": "3"}
"""A test does not wait for an hour to see what becomes of an uplink that fails."""


class SluiceContainer:
    """A running container: where its roles answer, and what its tools say."""

    def __init__(self, container: DockerContainer, profile_token: str) -> None:
        self._container = container
        host = container.get_container_host_ip()
        self.ingest_url = f"http://{host}:{container.get_exposed_port(INGEST_PORT)}"
        self.registry_url = f"http://{host}:{container.get_exposed_port(REGISTRY_PORT)}"
        self.registry = httpx.Client(
            base_url=self.registry_url, headers={"Authorization": profile_token}, timeout=30, trust_env=False
        )

    def ask(self, method: str, path: str, **arguments: Any) -> Any:
        """Give the result that the registry answers with; a refusal is an httpx.HTTPStatusError with its message."""
        answer = self.registry.request(method, path, **arguments)
        if answer.is_error:
            raise httpx.HTTPStatusError(
                f"{method} {path}: {answer.status_code} {answer.text}", request=answer.request, response=answer
            )
        return answer.json()["result"]

    def list_lines(self, *command: str) -> list[Any]:
        """Run one of the operator's commands in the container, and give what it prints: a document a line."""
        exit_code, output = self._container.exec(["sluice", *command])
        if exit_code:
            raise RuntimeError(f"sluice {' '.join(command)} ended with {exit_code}: {output.decode()}")
        return [json.loads(line) for line in output.decode().splitlines() if line.startswith("{")]


@contextmanager
def run_container(image: str, settings: Mapping[str, str]) -> Iterator[SluiceContainer]:
    """Run Sluice until the end of the block. ``settings``: names and values of its environment, ``SLUICE_…``."""
    profile_token = secrets.token_hex(16)
    container = DockerContainer(image).with_command("run").with_exposed_ports(INGEST_PORT, REGISTRY_PORT)
    for name, value in {**QUICK_SETTINGS, "SLUICE_PROFILE_TOKEN": profile_token, **settings}.items():
        container.with_env(name, value)
    container.waiting_for(
        CompositeWaitStrategy(
            *(HttpWaitStrategy(port, "/readyz").for_status_code(200) for port in (INGEST_PORT, REGISTRY_PORT))
        ).with_startup_timeout(START_SECONDS)
    )
    with container:
        running = SluiceContainer(container, profile_token)
        with running.registry:
            yield running
