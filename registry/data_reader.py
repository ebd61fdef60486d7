"""Reading a device's data."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from common.fields.reading_time import format_time
from registry.data_query import Choice, DataQuery
from registry.database import Database
from registry.ids import creation_time
from registry.schema import RECORDS

_FIELDS = ("value", "unit", "location", "metadata")
"""Fields that a record may lack."""


class DataReader:
    """Reads records, as TagoIO's clients know them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, device_id: str, query: DataQuery) -> list[dict[str, Any]] | int:
        """Give the records, newest first unless the query says otherwise; a number when it asks for the count."""
        async with self._database.reading() as connection:
            if query.choice is Choice.COUNT:
                return await _count(connection, device_id, query)
            rows: list[Row[*tuple[Any, ...]]] = []
            for variables in [[variable] for variable in query.variables] or [[]]:
                rows += (await connection.execute(_select_records(device_id, query, variables))).all()
        rows.sort(key=lambda row: (row.time, row.id), reverse=not query.ascending)
        return [_write_record(row, details=query.details) for row in rows]

    async def last_input(self, device_id: str) -> datetime | None:
        """Give the moment when the device's newest record was stored, to the second."""
        query = select(func.max(RECORDS.c.id)).where(RECORDS.c.device_id == device_id)
        async with self._database.reading() as connection:
            newest: str | None = (await connection.execute(query)).scalar_one()
        return None if newest is None else creation_time(newest)


def _select_records(device_id: str, query: DataQuery, variables: Sequence[str]) -> Select[Any]:
    selected = select(RECORDS).where(*_list_conditions(device_id, query, variables))
    if query.choice is Choice.DEFAULT:
        return _order(selected, by_insert=False, ascending=query.ascending).limit(query.qty).offset(query.skip)
    end, _, kind = query.choice.value.partition("_")
    if kind in {"value", "location"}:
        selected = selected.where(RECORDS.c[kind].is_not(None))
    return _order(selected, by_insert=kind == "insert", ascending=end == "first").limit(1)


async def _count(connection: AsyncConnection, device_id: str, query: DataQuery) -> int:
    conditions = _list_conditions(device_id, query, query.variables)
    counted = await connection.execute(select(func.count()).select_from(RECORDS).where(*conditions))
    return counted.scalar_one()


def _list_conditions(device_id: str, query: DataQuery, variables: Sequence[str]) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [RECORDS.c.device_id == device_id]
    for column, wanted in ((RECORDS.c.variable, variables), (RECORDS.c.group, query.groups), (RECORDS.c.id, query.ids)):
        if wanted:
            conditions.append(column.in_(wanted))
    if query.start is not None:
        conditions.append(RECORDS.c.time >= query.start)
    if query.end is not None:
        conditions.append(RECORDS.c.time <= query.end)
    return conditions


def _order(selected: Select[Any], *, by_insert: bool, ascending: bool) -> Select[Any]:
    columns = [RECORDS.c.id] if by_insert else [RECORDS.c.time, RECORDS.c.id]
    return selected.order_by(*(column.asc() if ascending else column.desc() for column in columns))


def _write_record(row: Row[*tuple[Any, ...]], *, details: bool) -> dict[str, Any]:
    fields = row._mapping  # noqa: SLF001 - the public way to a row's columns by name, underscore and all
    record = {
        "id": row.id,
        "device": row.device_id,
        "variable": row.variable,
        "group": row.group,
        "time": format_time(row.time),
        **{name: fields[name] for name in _FIELDS if fields[name] is not None},
    }
    return {**record, "created_at": format_time(creation_time(row.id))} if details else record
