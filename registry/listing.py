"""Which part of a list is asked for: the query parameters that TagoIO's clients send with every list."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Select, Table

from registry.parameters import Parameters, read_whole_number
from registry.refusal import invalid

DEFAULT_AMOUNT = 20
MOST_AMOUNT = 10_000

_ORDERS = ("name", "created_at")


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of a list, from 1. ``amount`` None: everything. ``fields`` empty: all of them."""

    page: int = 1
    amount: int | None = None
    order: str = "created_at"
    descending: bool = False
    fields: Sequence[str] = field(default=())

    def apply(self, query: Select[Any], table: Table) -> Select[Any]:
        """Give the query for this page, in this order; the id keeps things of one name in theirs."""
        columns = [table.c.id] if self.order == "created_at" else [table.c.name, table.c.id]
        query = query.order_by(*(column.desc() if self.descending else column for column in columns))
        return query if self.amount is None else query.limit(self.amount).offset((self.page - 1) * self.amount)

    def pick(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Give the fields of a document that were asked for; the id is always among them."""
        return {name: value for name, value in document.items() if not self.fields or name in {"id", *self.fields}}


EVERYTHING = Listing()


def parse_listing(parameters: Parameters) -> Listing:
    """Read ``page``, ``amount``, ``orderBy=name,asc`` and ``fields``. Raises :class:`registry.refusal.RefusedError`.

    A filter is refused, since a list that ignored it would be taken for a filtered one.
    """
    filters = [name for name in parameters if name.startswith("filter[")]
    if filters:
        raise invalid(f"{filters[0]} is not supported: lists cannot be filtered yet")
    order, _, direction = parameters.get("orderBy", ["name,asc"])[0].partition(",")
    if order not in _ORDERS or direction not in {"", "asc", "desc"}:
        raise invalid(f"orderBy must be one of {' and '.join(_ORDERS)}, followed by ,asc or ,desc")
    return Listing(
        page=read_whole_number(parameters, "page", default=1, least=1, most=1_000_000),
        amount=read_whole_number(parameters, "amount", default=DEFAULT_AMOUNT, least=1, most=MOST_AMOUNT),
        order=order,
        descending=direction == "desc",
        fields=parameters.get("fields", []),
    )
