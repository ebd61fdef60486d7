"""Removing data: what somebody asks for, what belongs to a device that goes, and what has become too old.

Each transaction removes a bounded number of records, so that no post waits long.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import ColumnElement, Row, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from registry.data_query import DataQuery
from registry.data_reader import select_records
from registry.database import Database
from registry.schema import DEVICES, RECORDS

MOST_AT_ONCE = 5_000
"""Records of one transaction: some 30 ms."""

DEVICES_AT_ONCE = 500
"""Devices that are searched for old records in one transaction."""


class DataRemover:
    """Removes records."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def remove(self, device_id: str, query: DataQuery) -> int:
        """Remove what the query finds; give how many records that were.

        Raises :class:`registry.refusal.RefusedError` (400) for a query that finds no records but a number.
        """
        async with self._database.writing() as connection:
            return await _remove_found(connection, device_id, query)

    async def remove_all(self, device_id: str) -> int:
        """Remove every record of a device; give how many there were."""
        return await self._remove_in_slices(RECORDS.c.device_id == device_id)

    async def remove_old(self, before: datetime) -> int:
        """Remove every record whose time is earlier; give how many there were.

        It goes by devices, since records are indexed by device and time: a further index would cost every post.
        """
        removed = 0
        last_id = ""
        while True:
            page = select(DEVICES.c.id).where(DEVICES.c.id > last_id).order_by(DEVICES.c.id).limit(DEVICES_AT_ONCE)
            async with self._database.reading() as connection:
                device_ids = (await connection.execute(page)).scalars().all()
            if not device_ids:
                return removed
            removed += await self._remove_in_slices(RECORDS.c.device_id.in_(device_ids), RECORDS.c.time < before)
            last_id = device_ids[-1]

    async def _remove_in_slices(self, *conditions: ColumnElement[bool]) -> int:
        removed = 0
        found = select(RECORDS.c.device_id, RECORDS.c.id).where(*conditions)
        while True:
            async with self._database.reading() as connection:  # most often there is nothing, and nobody has to wait
                if (await connection.execute(found.limit(1))).first() is None:
                    return removed
            async with self._database.writing() as connection:
                removed += await _remove_rows(connection, (await connection.execute(found.limit(MOST_AT_ONCE))).all())


async def _remove_found(connection: AsyncConnection, device_id: str, query: DataQuery) -> int:
    rows: list[Row[str, str]] = []
    for selected in select_records(device_id, query, RECORDS.c.device_id, RECORDS.c.id):
        rows += (await connection.execute(selected)).all()
    return await _remove_rows(connection, rows)


async def _remove_rows(connection: AsyncConnection, rows: Iterable[Row[str, str]]) -> int:
    by_device: defaultdict[str, set[str]] = defaultdict(set)
    for device_id, record_id in rows:
        by_device[device_id].add(record_id)
    for device_id, ids in by_device.items():  # one by one, since SQLite finds pairs of values by no index
        await connection.execute(delete(RECORDS).where(RECORDS.c.device_id == device_id, RECORDS.c.id.in_(ids)))
    return sum(map(len, by_device.values()))
