"""What the README has an operator do to forward to TagoIO, with the files as they are delivered."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import REPOSITORY, SLUICE, Process

CREDENTIALS = {"NETWORK_TOKEN": "n-readme", "FACTORY_AUTHORIZATION": "at-readme"}


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    """The example of a directory where the README has it copied to, and everything else of the test's own."""
    shutil.copy(REPOSITORY / "deploy" / "example" / "sluice.toml", tmp_path)
    return {
        **CREDENTIALS,
        "SLUICE_DIRECTORY": str(tmp_path / "sluice.toml"),
        "SLUICE_QUEUE": f"sqlite:{tmp_path / 'queue.db'}",
        "SLUICE_INGEST_PORT": "0",
        "SLUICE_WORKER_PORT": "0",
        "SLUICE_CONSOLE_PORT": "0",
        "SLUICE_LOG_FORMAT": "json",
    }


@pytest.fixture
def running(settings: dict[str, str]) -> Iterator[Process]:
    process = Process(str(SLUICE), "run", environment=settings)
    yield process
    process.close()


def test_the_example_of_a_directory_holds(settings: dict[str, str]) -> None:
    check = Process(str(SLUICE), "check", environment=settings)
    assert check.wait() == 0, check.log
    check.close()


def test_everything_in_one_process_runs_with_it(running: Process) -> None:
    running.wait_for_line("gate.opened")
    assert running.terminate() == 0
