"""Rows of the database."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Row


def read_details(row: Row[*tuple[Any, ...]], entry: Iterable[ColumnElement[Any]]) -> dict[str, Any]:
    """Give the columns of a row that are not those of its entry, by name."""
    fields = row._mapping  # noqa: SLF001 - the public way to a row's columns by name, underscore and all
    names = {column.key for column in entry}
    return {str(name): value for name, value in fields.items() if name not in names}  # orjson wants no subclass of str
