"""The pipeline as real processes, on each queue."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest
from playwright.sync_api import Browser, Page

from tests.support.chromium import open_chromium, open_page
from tests.support.console import Running
from tests.support.leftovers import delete_queues
from tests.support.roles import Roles
from tests.support.system import RETRY_STEPS, System

Processes = TypeVar("Processes", System, Roles)


@contextmanager
def opening(create: Callable[[str, Path], Processes], queue: str, folder: Path) -> Iterator[Processes]:
    """Give processes on a queue of their own, and leave nothing of them behind."""
    processes = create(queue, folder)
    yield processes
    processes.close()
    if queue.startswith("amqp"):
        delete_queues(queue, processes.prefix, RETRY_STEPS)


@pytest.fixture(params=["sqlite", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)])
def queue(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the queue is, on each engine in turn."""
    return str(request.getfixturevalue("amqp_url")) if request.param == "rabbitmq" else in_a_file(tmp_path)


@pytest.fixture
def system(queue: str, tmp_path: Path) -> Iterator[System]:
    """A stub downstream, and what a test starts before it, on each engine."""
    with opening(System, queue, tmp_path) as system:
        yield system


@pytest.fixture
def system_on_sqlite(tmp_path: Path) -> Iterator[System]:
    """For what is the same on every queue."""
    with opening(System, in_a_file(tmp_path), tmp_path) as system:
        yield system


@pytest.fixture
def system_on_rabbitmq(amqp_url: str, tmp_path: Path) -> Iterator[System]:
    """For what there is on RabbitMQ alone."""
    with opening(System, amqp_url, tmp_path) as system:
        yield system


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """``sluice run`` with its console."""
    running = Running(tmp_path)
    yield running
    running.process.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with open_chromium() as browser:
        yield browser


@pytest.fixture
def page(chromium: Browser, running: Running) -> Iterator[Page]:
    """A page of somebody who has signed in at that console."""
    with open_page(chromium, running.url("console")) as page:
        yield page


@pytest.fixture
def roles(queue: str, tmp_path: Path) -> Iterator[Roles]:
    """The registry, and what a test starts that goes by it, on each engine."""
    with opening(Roles, queue, tmp_path) as roles:
        yield roles


def in_a_file(folder: Path) -> str:
    """Give the URL of a queue in a file."""
    return f"sqlite:{folder / 'queue.db'}"
