"""The engines that the contract suite runs against."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest

from common.queue.protocol import Queue
from tests.contract.engines import Engine, RabbitEngine, SqliteEngine


@pytest.fixture(
    params=[
        pytest.param("rabbit_engine", id="rabbitmq", marks=pytest.mark.rabbitmq),
        pytest.param("sqlite_engine", id="sqlite"),
    ]
)
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine in turn."""
    return cast("Engine", request.getfixturevalue(request.param))


@pytest.fixture
async def rabbit_engine(amqp_url: str, prefix: str) -> AsyncIterator[RabbitEngine]:
    engine = RabbitEngine(amqp_url, prefix)
    yield engine
    await engine.clean()


@pytest.fixture
def sqlite_engine(tmp_path: Path) -> SqliteEngine:
    return SqliteEngine(tmp_path / "queue.db")


@pytest.fixture
async def queue(engine: Engine) -> AsyncIterator[Queue]:
    """The engine's queue, open."""
    async with engine.open() as queue:
        yield queue
