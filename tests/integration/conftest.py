"""What the integration tests share: a topology that is deleted afterwards, a network that breaks, and a raw channel."""

from collections.abc import AsyncIterator
from datetime import timedelta

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel

from common.queue.rabbitmq.topology import Topology
from tests.support.proxy import Proxy


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
