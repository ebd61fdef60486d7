"""Rows of the database."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Row, func, select
from sqlalchemy.ext.asyncio import AsyncConnection


def read_details(row: Row[*tuple[Any, ...]], entry: Iterable[ColumnElement[Any]]) -> dict[str, Any]:
    """Give the columns of a row that are not those of its entry, by name."""
    fields = row._mapping  # noqa: SLF001 - the public way to a row's columns by name, underscore and all
    names = {column.key for column in entry}
    return {str(name): value for name, value in fields.items() if name not in names}  # orjson wants no subclass of str


async def describe_references(
    connection: AsyncConnection, row_id: str, references: Mapping[str, ColumnElement[Any]]
) -> str:
    """Give what refers to a row by these columns, as people read it: ``2 devices and 1 connectors``; empty: nothing."""
    found = []
    for what, column in references.items():
        count = (await connection.execute(select(func.count()).where(column == row_id))).scalar_one()
        if count:
            found.append(f"{count:,} {what}")
    return " and ".join(found)
