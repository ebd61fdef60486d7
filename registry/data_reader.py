"""Reading a device's data."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Double, Row, Select, String, case, cast, func, select, type_coerce

from common.fields.number import read_number
from common.fields.reading_time import format_time
from registry.data_query import Choice, DataQuery
from registry.database import Database
from registry.ids import creation_time
from registry.refusal import invalid
from registry.schema import RECORDS

_FIELDS = ("value", "unit", "location", "metadata")
"""Fields that a record may lack."""


class DataReader:
    """Reads records, as TagoIO's clients know them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, device_id: str, query: DataQuery) -> list[dict[str, Any]] | float:
        """Give the records, newest first unless the query says otherwise; a number when it asks for one.

        A minimum, maximum, average or sum of no numbers at all is an empty list.
        """
        if query.choice.gives_number:
            return await self._calculate(device_id, query)
        rows: list[Row[*tuple[Any, ...]]] = []
        async with self._database.reading() as connection:
            for selected in select_records(device_id, query, RECORDS):
                rows += (await connection.execute(selected)).all()
        rows.sort(key=lambda row: (row.time, row.id), reverse=not query.ascending)
        return [_write_record(row, details=query.details) for row in rows]

    async def count(self, device_id: str) -> int:
        """Give the number of a device's records."""
        counted = select(func.count()).select_from(RECORDS).where(RECORDS.c.device_id == device_id)
        async with self._database.reading() as connection:
            return (await connection.execute(counted)).scalar_one()

    async def _calculate(self, device_id: str, query: DataQuery) -> list[dict[str, Any]] | float:
        conditions = _list_conditions(device_id, query, query.variables)
        if query.choice is Choice.COUNT:
            selected: Select[Any] = select(func.count()).select_from(RECORDS).where(*conditions)
        else:
            # What a condition leaves out may still be computed first, hence the case.
            number = case((_IS_NUMBER, cast(_WRITTEN_VALUE, Double)), else_=None)
            selected = select(getattr(func, query.choice.value)(number)).where(*conditions)
        async with self._database.reading() as connection:
            calculated: float | None = (await connection.execute(selected)).scalar_one()
        return [] if calculated is None else calculated


_WRITTEN_VALUE = type_coerce(RECORDS.c.value, String)
"""A value as it is stored, in JSON."""

_IS_NUMBER = func.substr(_WRITTEN_VALUE, 1, 1).in_([*"-0123456789"])


def select_records(device_id: str, query: DataQuery, *columns: Any) -> Iterator[Select[Any]]:
    """Give the statements that find the records of a query: one for each variable, or one for all.

    Raises :class:`registry.refusal.RefusedError` (400) for a query that finds a number.
    """
    if query.choice.gives_number:
        raise invalid(f"query={query.choice} finds no records")
    for variables in [[variable] for variable in query.variables] or [[]]:
        yield _select_records(select(*columns), device_id, query, variables)


def _select_records(selected: Select[Any], device_id: str, query: DataQuery, variables: Sequence[str]) -> Select[Any]:
    selected = selected.where(*_list_conditions(device_id, query, variables))
    if query.choice is Choice.DEFAULT:
        return _order(selected, by_insert=False, ascending=query.ascending).limit(query.qty).offset(query.skip)
    end, _, kind = query.choice.value.partition("_")
    if kind in {"value", "location"}:
        selected = selected.where(RECORDS.c[kind].is_not(None))
    return _order(selected, by_insert=kind == "insert", ascending=end == "first").limit(1)


def _list_conditions(device_id: str, query: DataQuery, variables: Sequence[str]) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [RECORDS.c.device_id == device_id]
    for column, wanted in ((RECORDS.c.variable, variables), (RECORDS.c.group, query.groups), (RECORDS.c.id, query.ids)):
        if wanted:
            conditions.append(column.in_(wanted))
    if query.values:
        conditions.append(_WRITTEN_VALUE.in_([written for value in query.values for written in _spell(value)]))
    if query.start is not None:
        conditions.append(RECORDS.c.time >= query.start)
    if query.end is not None:
        conditions.append(RECORDS.c.time <= query.end)
    return conditions


def _spell(value: str) -> list[str]:
    """Give every stored form that a value of a query string may mean: a string, a number, a boolean."""
    spellings = [orjson.dumps(value).decode()]
    number = read_number(value)
    if number is not None:
        spellings.append(orjson.dumps(float(number)).decode())
        with suppress(orjson.JSONEncodeError):  # an integer beyond 64 bits, which was read as a float
            spellings.append(orjson.dumps(number).decode())
    return [*spellings, value] if value in {"true", "false"} else spellings


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
