"""`sluice run`: everything in one process, on storage of its own. Imports nothing of Sluice."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.support.processes import SLUICE, Process
from tests.support.waiting import eventually


@pytest.fixture
def running(tmp_path: Path) -> Iterator["Running"]:
    running = Running(tmp_path)
    yield running
    running.close()


class Running:
    """One folder, and the processes that were started on it one after another."""

    def __init__(self, folder: Path) -> None:
        self._environment = {
            "SLUICE_DATA": str(folder / "var"),
            "SLUICE_QUEUE": f"sqlite:{folder / 'var' / 'queue.db'}",
            "SLUICE_DIRECTORY": str(folder / "sluice.toml"),
            "SLUICE_INGEST_PORT": "0",
            "SLUICE_REGISTRY_PORT": "0",
            "SLUICE_WORKER_PORT": "0",
            "SLUICE_CONSOLE_PORT": "0",
            "SLUICE_LOG_FORMAT": "json",
            "SLUICE_LOG_LEVEL": "INFO",
        }
        self._processes: list[Process] = []

    def start(self, *arguments: str) -> Process:
        process = Process(str(SLUICE), "run", *arguments, environment=self._environment)
        self._processes.append(process)
        return process

    async def start_demo(self) -> tuple[Process, str]:
        """Give the process and the key that its ``curl`` line shows."""
        process = self.start("--demo")
        await eventually(lambda: "Try it" in process.log and "curl " in process.log, within=60)
        found = re.search(r"Authorization: (\S+)'", process.log)
        assert found, process.log
        return process, found[1]

    def close(self) -> None:
        for process in self._processes:
            process.close()


def stored_uplinks(folder: Path) -> dict[str, int]:
    """Count what the registry has stored of each request: every uplink has one serial."""
    with closing(sqlite3.connect(folder / "var" / "registry.db")) as database:
        query = """SELECT "group", count(*) FROM records WHERE variable = 'serial' GROUP BY "group" """
        return dict(database.execute(query).fetchall())


def url_of(process: Process, role: str) -> str:
    (line,) = [line for line in process.lines if line.get("event") == "http.listening" and line["role"] == role]
    return str(line["url"])


async def test_the_demo_shows_where_every_uplink_landed(running: Running) -> None:
    process, _ = await running.start_demo()
    for expected in ("0011AA", "010203ff", "400 Refused", "serial_unknown", "AA-BB-02"):
        assert expected in process.log, process.log
    assert process.terminate() == 0


async def test_what_was_accepted_before_a_crash_is_stored_after_it_and_once(running: Running, tmp_path: Path) -> None:
    process, key = await running.start_demo()
    groups = set()
    for number in range(200):
        body = [{"serial": "AA-BB-01", "number": number}, {"serial": "AA-BB-02", "number": number}]
        response = httpx.post(f"{url_of(process, 'ingest')}/uplink", json=body, headers={"Authorization": key})
        assert response.status_code == 202, response.text
        groups.add(response.json()["group"])
    process.kill()
    again, same_key = await running.start_demo()
    assert same_key == key
    await eventually(lambda: stored_uplinks(tmp_path).keys() >= groups)
    assert again.terminate() == 0
    stored = stored_uplinks(tmp_path)
    assert {group: stored[group] for group in groups} == dict.fromkeys(groups, 2)


async def test_the_demo_says_why_it_cannot_be_shown(running: Running, tmp_path: Path) -> None:
    (tmp_path / "sluice.toml").write_text("")
    process = running.start("--demo")
    assert process.wait() == 1
    assert "sluice.toml would be used in its place" in process.log
