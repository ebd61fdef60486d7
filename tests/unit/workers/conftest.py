"""Which event loops the tests of the worker run on."""

import asyncio
from collections.abc import Callable, Mapping

import pytest
import uvloop

ON_BOTH = "test_network_client.py"
"""A process runs on uvloop; a test, or whoever embeds a worker, on asyncio's own. They end connections differently."""


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run what works below the streams of asyncio on both loops."""
    del config
    both = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
    return both if item.path.name == ON_BOTH else {"asyncio": asyncio.new_event_loop}
