"""Which networks and connectors have a payload parser: most have none, and their devices' posts need not ask."""

import asyncio
import time

from sqlalchemy import select, union_all

from registry.database import Database
from registry.entries import DeviceEntry
from registry.schema import CONNECTORS, NETWORKS

REMEMBERED_SECONDS = 5.0
"""How long a parser that another registry on the same database has added may be passed by."""

_QUERY = union_all(
    select(NETWORKS.c.id).where(NETWORKS.c.payload_decoder.is_not(None)),
    select(CONNECTORS.c.id).where(CONNECTORS.c.payload_decoder.is_not(None)),
)


class ParserPresence:
    """Asks the database once in a while, and not for each device that posts."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._asking = asyncio.Lock()
        self._ids: frozenset[str] = frozenset()
        self._asked_at = float("-inf")
        self._forgotten = 0

    async def concerns(self, device: DeviceEntry) -> bool:
        """Whether what this device posts goes through a parser; raises what the database raises."""
        if not self._is_recent():
            async with self._asking:
                if not self._is_recent():  # or whoever was here before has asked
                    await self._ask()
        return device.own_parser or device.network_id in self._ids or device.connector_id in self._ids

    def forget(self) -> None:
        """Ask again: a parser was added or taken away."""
        self._forgotten += 1
        self._asked_at = float("-inf")

    def _is_recent(self) -> bool:
        return time.monotonic() - self._asked_at <= REMEMBERED_SECONDS

    async def _ask(self) -> None:
        asked_at, forgotten = time.monotonic(), self._forgotten
        async with self._database.reading() as connection:
            self._ids = frozenset((await connection.execute(_QUERY)).scalars())
        if forgotten == self._forgotten:  # else something changed that this answer may not hold yet
            self._asked_at = asked_at
