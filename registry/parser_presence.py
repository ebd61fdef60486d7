"""Which networks and connectors have a payload parser: most have none, and their devices' posts need not ask."""

from sqlalchemy import select, union_all

from registry.database import Database
from registry.entries import DeviceEntry
from registry.remembered import Remembered
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
        self._ids = Remembered(self._read_ids, REMEMBERED_SECONDS)

    async def concerns(self, device: DeviceEntry) -> bool:
        """Whether what this device posts goes through a parser; raises what the database raises."""
        ids = await self._ids.get()
        return device.own_parser or device.network_id in ids or device.connector_id in ids

    def forget(self) -> None:
        """Ask again: a parser was added or taken away."""
        self._ids.forget()

    async def _read_ids(self) -> frozenset[str]:
        async with self._database.reading() as connection:
            return frozenset((await connection.execute(_QUERY)).scalars())
