"""A pool that the tests of a module share: its process takes a moment to start, and no run sees another."""

from collections.abc import AsyncIterator

import pytest_asyncio

from registry.parsers.model import ParserLimits
from registry.parsers.pool import ParserPool
from tests.unit.registry.parsers.runs import Runs


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def runs() -> AsyncIterator[Runs]:
    async with ParserPool(ParserLimits(processes=1)) as pool:
        yield Runs(pool)
