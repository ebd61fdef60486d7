"""What the cells share: a broker that may be broken, a system on queues of its own, and the books."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.cell import Cell
from tests.faults.sinks import StubSink
from tests.support.broker import BrokerContainer
from tests.support.system import System

NO_POSTS_KEPT = ("--keep-posts", "0")


@pytest.fixture
def system(own_broker: BrokerContainer, tmp_path: Path) -> Iterator[System]:
    """A stub downstream, and queues of this cell alone in a container of the suite's."""
    system = System(own_broker.url, tmp_path, stub_options=NO_POSTS_KEPT)
    yield system
    system.close()


@pytest.fixture
def cell(request: pytest.FixtureRequest, system: System, own_broker: BrokerContainer, tmp_path: Path) -> Iterator[Cell]:
    """The books of this test."""
    version = own_broker.control("version").strip()
    cell = Cell(*name_cell(request), StubSink(system), f"RabbitMQ {version}", tmp_path)
    yield cell
    cell.close()


def name_cell(request: pytest.FixtureRequest) -> tuple[str, tuple[str, int]]:
    """Give a cell's name, which is its test's in words, and its place: file and line."""
    name = request.node.name.removeprefix("test_").replace("_", " ").replace("[", " (").replace("]", ")")
    path, line, _ = request.node.location
    return name, (Path(path).name, line or 0)
