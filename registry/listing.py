"""Which part of a list is asked for: the query parameters that TagoIO's clients send with every list."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Select, String, Table, func, type_coerce

from registry.parameters import Parameters, read_whole_number
from registry.refusal import invalid

DEFAULT_AMOUNT = 20
MOST_AMOUNT = 10_000

_ORDERS = ("name", "created_at", "updated_at", "last_input", "active", "visible", "permission")

_FILTER = re.compile(r"filter\[(\w+)\](?:\[(\d+)\]\[(key|value)\])?")

_BOOLEANS = {"true": True, "false": False}

_OWN_NAMES = {"serie_number": "serial", "network": "network_id", "connector": "connector_id"}
"""Columns that TagoIO calls by another name."""

_FILTERS = ("id", "name", "active", "visible", "public", *_OWN_NAMES)


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of a list, from 1. ``amount`` None: everything. ``fields`` empty: all of them.

    ``tags``: pairs of key and value, each of which may be None for any; a device needs all of them.
    """

    page: int = 1
    amount: int | None = None
    order: str = "created_at"
    descending: bool = False
    fields: Sequence[str] = field(default=())
    filters: Mapping[str, str] = field(default_factory=dict)
    tags: Sequence[tuple[str | None, str | None]] = field(default=())

    def apply(self, query: Select[Any], table: Table) -> Select[Any]:
        """Give the query for this page, in this order; the id keeps things of one name in theirs.

        Raises :class:`registry.refusal.RefusedError` (400) for what such things are not filtered or ordered by.
        """
        for name, wanted in self.filters.items():
            query = query.where(_filter(table, name, wanted))
        for key, value in self.tags:
            query = query.where(_filter_tag(table, key, value))
        query = query.order_by(*self._order(table))
        return query if self.amount is None else query.limit(self.amount).offset((self.page - 1) * self.amount)

    def pick(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Give the fields of a document that were asked for; the id is always among them."""
        return {name: value for name, value in document.items() if not self.fields or name in {"id", *self.fields}}

    def _order(self, table: Table) -> list[ColumnElement[Any]]:
        names = ["id"] if self.order == "created_at" else [self.order, "id"]
        if names[0] not in table.c:
            raise invalid(f"orderBy: there is no {self.order} to order these by")
        # Databases do not agree on where what is missing comes.
        return [table.c[name].desc().nulls_last() if self.descending else table.c[name].nulls_first() for name in names]


EVERYTHING = Listing()


def parse_listing(parameters: Parameters) -> Listing:
    """Read ``page``, ``amount``, ``orderBy=name,asc``, ``fields``, ``filter[…]`` and ``serial``.

    Raises :class:`registry.refusal.RefusedError`. A filter that there is not is refused, since a list that ignored it
    would be taken for a filtered one.
    """
    order, _, direction = parameters.get("orderBy", ["name,asc"])[0].partition(",")
    if order not in _ORDERS or direction not in {"", "asc", "desc"}:
        raise invalid(f"orderBy must be one of {', '.join(_ORDERS)}, followed by ,asc or ,desc")
    filters, tags = _read_filters(parameters)
    return Listing(
        page=read_whole_number(parameters, "page", default=1, least=1, most=1_000_000),
        amount=read_whole_number(parameters, "amount", default=DEFAULT_AMOUNT, least=1, most=MOST_AMOUNT),
        order=order,
        descending=direction == "desc",
        fields=parameters.get("fields", []),
        filters=filters,
        tags=tags,
    )


def _read_filters(parameters: Parameters) -> tuple[dict[str, str], list[tuple[str | None, str | None]]]:
    filters: dict[str, str] = {}
    tags: dict[str, dict[str, str]] = {}
    for name, values in parameters.items():
        if not name.startswith("filter["):
            continue
        match = _FILTER.fullmatch(name)
        if match is None or (match[1] == "tags") != (match[2] is not None):
            raise invalid(f"{name} is not supported: filter by one of {', '.join(_FILTERS)}, or tags")
        if match[2] is None:
            filters[match[1]] = values[0]
        else:
            tags.setdefault(match[2], {})[match[3]] = values[0]
    if "serial" in parameters:
        filters["serie_number"] = parameters["serial"][0]
    return filters, [(tag.get("key"), tag.get("value")) for tag in tags.values()]


def _filter(table: Table, name: str, wanted: str) -> ColumnElement[bool]:
    column = table.c.get(_OWN_NAMES.get(name, name)) if name in _FILTERS else None
    if column is None:
        there = [known for known in _FILTERS if _OWN_NAMES.get(known, known) in table.c]
        raise invalid(f"filter[{name}] is not supported: filter by one of {', '.join(there)}")
    if name in {"active", "visible", "public"}:
        if wanted not in _BOOLEANS:
            raise invalid(f"filter[{name}] must be true or false")
        return column.is_(_BOOLEANS[wanted])
    if name == "name":
        return _match_name(column, wanted)
    equal: ColumnElement[bool] = column == wanted
    return equal


def _match_name(column: ColumnElement[str], wanted: str) -> ColumnElement[bool]:
    """Compare without regard to case, as the database folds it; ``*`` stands for anything."""
    pattern = wanted.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_").replace("*", "%")
    return func.lower(column).like(func.lower(pattern), escape="\\")


def _filter_tag(table: Table, key: str | None, value: str | None) -> ColumnElement[bool]:
    """Look for the tag in the JSON text of all tags, which no tag's own characters can imitate."""
    if "tags" not in table.c:
        raise invalid("filter[tags] is not supported: only devices have tags")
    written = type_coerce(table.c.tags, String)
    wanted = _write_tag(key, value)
    # Unlike LIKE, this heeds the case in every database.
    found: ColumnElement[bool] = func.replace(written, wanted, "") != written
    return found


def _write_tag(key: str | None, value: str | None) -> str:
    match key, value:
        case str(), str():
            return orjson.dumps({"key": key, "value": value}).decode()
        case str(), None:
            return orjson.dumps({"key": key}).decode()[:-1] + ","
        case _:
            return "," + orjson.dumps({"value": value or ""}).decode()[1:]
