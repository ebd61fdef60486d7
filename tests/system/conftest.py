"""The pipeline as real processes, on each queue."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.leftovers import delete_queues
from tests.support.system import RETRY_STEPS, System


@pytest.fixture(params=["sqlite", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)])
def system(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[System]:
    """A stub downstream, and what a test starts before it, on RabbitMQ and on SQLite."""
    amqp_url: str | None = request.getfixturevalue("amqp_url") if request.param == "rabbitmq" else None
    system = System(amqp_url or f"sqlite:{tmp_path / 'queue.db'}", tmp_path)
    yield system
    system.close()
    if amqp_url is not None:
        delete_queues(amqp_url, system.prefix, RETRY_STEPS)
