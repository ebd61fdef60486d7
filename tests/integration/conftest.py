"""What the integration tests share: a topology that is deleted afterwards, a network that breaks, and a raw channel."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel

from common.queue.rabbitmq.topology import Topology
from common.settings import Settings
from registry.service import Registry
from tests.support.proxy import Proxy
from tests.support.served_registry import serve


@pytest.fixture
async def topology(amqp_url: str, prefix: str) -> AsyncIterator[Topology]:
    """Queues of this test alone."""
    topology = Topology(prefix, (timedelta(milliseconds=200), timedelta(hours=1)), timedelta(days=1))
    yield topology
    async with await aio_pika.connect(amqp_url) as connection, connection.channel() as channel:
        for queue in topology.queues:
            await channel.queue_delete(queue.name)


@pytest.fixture
async def channel(amqp_url: str) -> AsyncIterator[AbstractChannel]:
    """A channel of the plain library, for whatever happens behind the engine's back."""
    async with await aio_pika.connect(amqp_url) as connection, connection.channel(on_return_raises=True) as channel:
        yield channel


@pytest.fixture
async def proxy(amqp_url: str) -> AsyncIterator[Proxy]:
    """The network between the engine and the broker."""
    async with Proxy(amqp_url) as proxy:
        yield proxy


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[Registry]:
    """A registry in its first start, on a file of its own."""
    async with Registry(Settings(data=tmp_path, registry_port=0)) as registry:
        yield registry


@pytest.fixture
async def registry_url(registry: Registry) -> AsyncIterator[str]:
    """Where it listens."""
    async with serve(registry) as url:
        yield url
