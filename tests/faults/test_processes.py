"""Sluice's own processes are killed, or asked to stop, under load."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.faults.cell import IN_HAND, UNDER_WAY, UPLINKS, Cell, Explanation
from tests.faults.conftest import name_cell
from tests.faults.sinks import RegistrySink
from tests.support.broker import BrokerContainer
from tests.support.ports import find_free_port
from tests.support.processes import Process
from tests.support.system import AUTHORIZATION, System

pytestmark = [pytest.mark.rabbitmq, pytest.mark.docker, pytest.mark.timeout(1_800)]

KILLS = 10


@pytest.mark.ci
async def test_a_worker_is_killed_ten_times(system: System, cell: Cell) -> None:
    """One of three, at random moments; another one is started each time."""
    ingest = system.start_ingest()
    workers = [system.start_worker() for _ in range(3)]
    cell.send(ingest.url, AUTHORIZATION, UPLINKS)
    for moment in cell.moments(KILLS, of=UPLINKS):
        await cell.arrived(moment)
        workers.pop(0).kill()
        async with cell.recovering():
            workers.append(system.start_worker())
    await cell.balance(twice=Explanation("posted by a killed worker, not yet acknowledged", KILLS * IN_HAND))


async def test_the_only_worker_is_killed_ten_times(system: System, cell: Cell) -> None:
    """Nobody goes on meanwhile, so that the recovery is that of a start."""
    ingest = system.start_ingest()
    worker = system.start_worker()
    cell.send(ingest.url, AUTHORIZATION, UPLINKS)
    for moment in cell.moments(KILLS, of=UPLINKS):
        await cell.arrived(moment)
        worker.kill()
        async with cell.recovering():
            worker = system.start_worker()
    await cell.balance(twice=Explanation("posted by a killed worker, not yet acknowledged", KILLS * IN_HAND))


async def test_the_ingest_is_killed_ten_times(system: System, cell: Cell) -> None:
    """Gateways get no answer, and send the same again with the same Idempotency-Key."""
    ingest = system.start_ingest()
    port = ingest.url.rpartition(":")[2]
    for _ in range(2):
        system.start_worker()
    cell.send(ingest.url, AUTHORIZATION, UPLINKS)
    for moment in cell.moments(KILLS, of=UPLINKS):
        await cell.accepted(moment)
        ingest.kill()
        async with cell.recovering():
            ingest = system.start_ingest(SLUICE_INGEST_PORT=port)
    await cell.balance(
        twice=Explanation("stored before the kill, sent again by the gateway", KILLS * UNDER_WAY),
        answers=("503",),
        felt="0",
    )


async def test_a_worker_is_asked_to_stop_ten_times(system: System, cell: Cell) -> None:
    """SIGTERM under load, with posts that end well before the deadline: nothing comes twice."""
    ingest = system.start_ingest()
    workers = [system.start_worker() for _ in range(3)]
    cell.send(ingest.url, AUTHORIZATION, UPLINKS)
    for moment in cell.moments(KILLS, of=UPLINKS):
        await cell.arrived(moment)
        async with cell.recovering():
            assert workers.pop(0).terminate() == 0
            workers.append(system.start_worker())
    await cell.balance()


async def test_the_registry_is_killed_ten_times(
    request: pytest.FixtureRequest, system: System, own_broker: BrokerContainer, tmp_path: Path
) -> None:
    """It is the directory and the downstream; what is posted again is stored once, so that nothing may come twice."""
    port = find_free_port()  # the same after a restart, as a deployment's is
    url = f"http://127.0.0.1:{port}"
    system.environment |= {
        "SLUICE_DATA": str(tmp_path / "var"),
        "SLUICE_DIRECTORY": url,
        "SLUICE_DIRECTORY_TOKEN": "faults-directory-token",
        "SLUICE_REGISTRY_URL": url,
        "SLUICE_REGISTRY_PORT": str(port),
        "SLUICE_PROFILE_TOKEN": "p-faults-profile-token",
    }
    registry = start_registry(system)
    device = create_device(system)
    ingest = system.start_ingest()
    for _ in range(2):
        system.start_worker()
    sink = RegistrySink(tmp_path / "var" / "registry.db", system)
    broker = f"RabbitMQ {own_broker.control('version').strip()}"
    with closing(Cell(*name_cell(request), sink, broker, tmp_path)) as cell:
        cell.send(ingest.url, device["key"]["token"], UPLINKS, serials=device["serie_number"])
        for moment in cell.moments(KILLS, of=UPLINKS):
            await cell.arrived(moment)
            registry.kill()
            async with cell.recovering():
                registry = start_registry(system)
        await cell.balance()


def start_registry(system: System) -> Process:
    registry = system.run("registry")
    registry.wait_for_line("http.listening")
    return registry


def create_device(system: System) -> dict[str, Any]:
    """Create a device and a key, and give both with their tokens."""
    creating = system.run("device", "create", "A", "--key", "demo", "--json")
    code = creating.wait()
    creating.close()  # what it wrote has all been read then
    assert code == 0, creating.log
    device: dict[str, Any] = json.loads(creating.log)
    return device
