"""The serials cannot be resolved for a while, or not any more, under load."""

import signal
from pathlib import Path

import pytest

from tests.faults.cell import UPLINKS, Cell
from tests.support.system import AUTHORIZATION, System

pytestmark = [pytest.mark.rabbitmq, pytest.mark.docker, pytest.mark.timeout(1_800)]

OUTAGE_SECONDS = 10.0
DEVICES = 200
"""The gateway's, in turn."""


def start_load(system: System, cell: Cell, uplinks: int = UPLINKS) -> None:
    ingest = system.start_ingest()
    for _ in range(2):
        system.start_worker()
    cell.send(ingest.url, AUTHORIZATION, uplinks)


async def test_the_resolver_is_away(system: System, cell: Cell) -> None:
    """From the beginning on, so that no token is remembered; posts would be taken."""
    system.control_stub(mode="away", failing=["resolve"])
    start_load(system, cell)
    await cell.pass_seconds(OUTAGE_SECONDS)
    async with cell.recovering():
        system.control_stub(mode="good")
    await cell.balance()


async def test_the_resolver_is_slow(system: System, cell: Cell) -> None:
    """Two seconds for each serial."""
    system.control_stub(latency_ms=2_000, failing=["resolve"])
    start_load(system, cell, UPLINKS // 10)
    await cell.balance()


async def test_the_resolver_does_not_know_one_serial(system: System, cell: Cell) -> None:
    """Its uplinks die, and nobody else's."""
    system.control_stub(unknown=["*05"])
    start_load(system, cell)
    await cell.balance(dead={"serial_unknown": len(range(5, UPLINKS, DEVICES))})


async def test_the_resolver_refuses_the_authorization_for_a_while(system: System, cell: Cell) -> None:
    """It answers 401 to everything, and then does not any more: nothing dies of it."""
    system.control_stub(denied=True)
    start_load(system, cell)
    await cell.pass_seconds(OUTAGE_SECONDS)
    async with cell.recovering():
        system.control_stub(denied=False)
    await cell.balance()


async def test_every_device_token_is_revoked_in_the_middle(system: System, cell: Cell) -> None:
    """What workers remember is refused with 401, and resolving afresh gives another token."""
    start_load(system, cell)
    await cell.arrived(UPLINKS // 4)
    async with cell.recovering():
        system.control_stub(generation=1)
    await cell.balance()


async def test_the_directory_of_the_worker_lacks_the_key_for_a_while(
    system: System, cell: Cell, tmp_path: Path
) -> None:
    """An operator takes the key's table out of ``sluice.toml``, and puts it back: what is queued waits for it."""
    directory = tmp_path / "worker.toml"
    whole = system.directory.read_text()
    before, _, after = whole.partition("[authorizations.factory]")
    lacking = before + after[after.index("[authorizations.") :]
    directory.write_text(whole)
    ingest = system.start_ingest()
    worker = system.start_worker(SLUICE_DIRECTORY=str(directory))
    cell.send(ingest.url, AUTHORIZATION, UPLINKS)
    await cell.arrived(UPLINKS // 4)
    directory.write_text(lacking)
    worker.send_signal(signal.SIGHUP)
    await cell.pass_seconds(OUTAGE_SECONDS)
    async with cell.recovering():
        directory.write_text(whole)
        worker.send_signal(signal.SIGHUP)
    await cell.balance()
