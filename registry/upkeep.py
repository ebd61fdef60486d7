"""What the registry does beside serving: write down who was seen, forget old uplinks, remove old data."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from registry.data_remover import DataRemover
from registry.data_writer import DataWriter
from registry.sightings import WRITING_INTERVAL_SECONDS, Sightings

FORGETTING_INTERVAL_SECONDS = 60.0
"""How often the ids of uplinks that are old enough are forgotten."""

REMOVING_INTERVAL_SECONDS = 3_600.0
"""How often data that is old enough is removed."""

log = structlog.get_logger()


class Upkeep:
    """The registry's own work. ``retention`` is how long data is kept by its time; None: for ever."""

    def __init__(
        self, writer: DataWriter, sightings: Sightings, remover: DataRemover, retention: timedelta | None
    ) -> None:
        self._writer = writer
        self._sightings = sightings
        self._remover = remover
        self._retention = retention

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until ``stopping`` is set. What the database does not let it do is done the next time."""
        async with asyncio.TaskGroup() as tasks:
            for work, seconds in (
                (self.write_sightings, WRITING_INTERVAL_SECONDS),
                (self._forget_uplinks, FORGETTING_INTERVAL_SECONDS),
                (self._remove_old_data, REMOVING_INTERVAL_SECONDS),
            ):
                tasks.create_task(_repeat(work, seconds, stopping))

    async def write_sightings(self) -> None:
        """Write down which devices were seen."""
        try:
            await self._sightings.write()
        except (SQLAlchemyError, OSError):
            log.warning("sightings.kept", exc_info=True)

    async def _forget_uplinks(self) -> None:
        try:
            await self._writer.forget_uplinks(datetime.now(UTC))
        except (SQLAlchemyError, OSError):  # they are remembered for longer than was promised, until the next time
            log.warning("uplinks.kept", exc_info=True)

    async def _remove_old_data(self) -> None:
        if self._retention is None:
            return
        started = time.monotonic()
        try:
            removed = await self._remover.remove_old(datetime.now(UTC) - self._retention)
        except (SQLAlchemyError, OSError):
            log.warning("data.kept", exc_info=True)
            return
        if removed:
            log.info("data.removed", records=removed, seconds=round(time.monotonic() - started, 3))


async def _repeat(work: Callable[[], Awaitable[None]], seconds: float, stopping: asyncio.Event) -> None:
    while not stopping.is_set():
        await work()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), seconds)
