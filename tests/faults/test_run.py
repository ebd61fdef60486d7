"""``sluice run``, everything in one process with its queue in a file: killed, without room, cut off for a week."""

import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest

from tests.faults.cell import UNDER_WAY, UPLINKS, Cell, Explanation
from tests.faults.conftest import name_cell
from tests.faults.memory import watched_memory
from tests.faults.sinks import RegistrySink, StubSink
from tests.support.processes import Process
from tests.support.system import AUTHORIZATION, System
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(3_600)

KILLS = 3
OUTAGE_SECONDS = 10.0
DEMO_SERIALS = "AA-BB-01,AA-BB-02"
DEVICES = 200
"""The gateway's, in turn."""
MEBIBYTE = 1_024 * 1_024
SQLITE = f"SQLite {sqlite3.sqlite_version}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where ``sluice run`` keeps what it stores."""
    return tmp_path / "var"


@pytest.fixture
def box(folder: Path, tmp_path: Path) -> Iterator[System]:
    """An edge box: the queue in a file, the directory in ``sluice.toml``, the stub as the downstream."""
    box = System(f"sqlite:{folder / 'queue.db'}", tmp_path, stub_options=("--keep-posts", "0"))
    box.environment |= {"SLUICE_DATA": str(folder), "SLUICE_REGISTRY_PORT": "0"}
    yield box
    box.close()


@pytest.fixture
def cell(request: pytest.FixtureRequest, box: System, tmp_path: Path) -> Iterator[Cell]:
    cell = Cell(*name_cell(request), StubSink(box), SQLITE, tmp_path)
    yield cell
    cell.close()


@pytest.fixture
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of 64 MB, in memory, under everything that is stored."""
    mount, umount = shutil.which("mount"), shutil.which("umount")
    folder.mkdir()
    if os.geteuid() != 0 or mount is None or umount is None:
        pytest.skip("only the superuser can mount a small disk")
    mounting = subprocess.run([mount, "-t", "tmpfs", "-o", "size=64m", "tmpfs", folder], check=False)
    if mounting.returncode != 0:
        pytest.skip("no small disk can be mounted here")
    yield folder
    subprocess.run([umount, "--lazy", folder], check=True)


async def start_run(box: System, *arguments: str, **settings: str) -> tuple[Process, str]:
    """Start ``sluice run``, and wait until it takes uplinks; give the process, and where its ingest listens."""
    running = box.run("run", *arguments, SLUICE_LOG_LEVEL="INFO", **settings)
    running.wait_for_line("gate.opened")
    lines = await eventually(lambda: [line for line in running.lines if line.get("role") == "ingest"])
    return running, str(lines[0]["url"])


async def test_everything_in_one_process_is_killed_three_times(
    request: pytest.FixtureRequest, box: System, folder: Path, tmp_path: Path
) -> None:
    """With the registry in it, which stores each uplink once; its database tells what it stored."""
    uplinks = 5 * UPLINKS
    box.environment["SLUICE_DIRECTORY"] = str(tmp_path / "nowhere.toml")
    running, url = await start_run(box, "--demo")
    (key,) = await eventually(lambda: re.findall(r"Authorization: (\S+)'", running.log), within=60)
    port = url.rpartition(":")[2]
    sink = RegistrySink(folder / "registry.db", box)
    with closing(Cell(*name_cell(request), sink, SQLITE, tmp_path)) as cell:
        cell.send(url, key, uplinks, serials=DEMO_SERIALS, rate=0)
        for moment in cell.moments(KILLS, of=uplinks):
            await cell.accepted(moment)
            running.kill()
            async with cell.recovering():
                running, _ = await start_run(box, SLUICE_INGEST_PORT=port)
        await cell.balance(answers=("503",), felt="0")


async def test_the_disk_under_the_queue_is_full_for_a_while(box: System, cell: Cell, small_disk: Path) -> None:
    """To the last byte: nothing is accepted, nothing can be settled, and everything goes on when there is room."""
    _, url = await start_run(box)
    cell.send(url, AUTHORIZATION, UPLINKS)
    await cell.accepted(UPLINKS // 4)
    ballast = small_disk / "ballast"
    fill(ballast)
    await cell.pass_seconds(OUTAGE_SECONDS)
    async with cell.recovering():
        ballast.unlink()
    explanation = Explanation("posted and not settled while the disk was full, or sent again by the gateway", UPLINKS)
    await cell.balance(twice=explanation, felt="503")


def fill(ballast: Path) -> None:
    """Take what is free on this disk."""
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(MEBIBYTE)):
                pass
        except OSError:  # no space left
            pass


async def test_an_edge_box_is_cut_off_for_a_week(box: System, cell: Cell) -> None:
    """Its downstream is away while ten times the usual comes in: flat memory, and then everything in order.

    One sender waits for each 202 before it sends the next request, so that there is an order to keep.
    """
    uplinks = 10 * UPLINKS
    box.control_stub(mode="away")
    running, url = await start_run(box, SLUICE_RETRY_STEPS="5,30,120", SLUICE_BLIP_SECONDS="2")
    async with watched_memory(running) as (memory,):
        gateway = cell.send(url, AUTHORIZATION, uplinks, senders=1, rate=0)
        await cell.accepted(uplinks)
        async with cell.recovering():
            box.control_stub(mode="good")
        assert gateway.wait() == 0
        await cell.arrived(uplinks)
    marks = cell.arrived_marks()
    late = count_late(marks, DEVICES)
    cell.note = f"memory: {memory}; out of order: {late:,} within their device, {count_late(marks, 1):,} over all"
    await cell.balance(twice=Explanation("posted when the downstream went away or came back", UNDER_WAY))
    assert memory.is_flat, str(memory)
    assert late <= UNDER_WAY, "what was in flight when it went away or came back may overtake, and nothing else"


def count_late(marks: list[str], devices: int) -> int:
    """Count the uplinks that came directly after one that was sent later by the same device."""
    by_device: dict[int, list[int]] = {}
    for mark in marks:
        number = int(mark.rpartition("-")[2])
        by_device.setdefault(number % devices, []).append(number)
    return sum(later < earlier for numbers in by_device.values() for earlier, later in pairwise(numbers))
