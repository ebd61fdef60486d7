"""What of a device's data is asked for: the query parameters of ``GET /data``, as TagoIO's clients send them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from registry.parameters import Parameters, read_whole_number
from registry.period import parse_end
from registry.refusal import invalid

DEFAULT_RECORDS = 15
MOST_RECORDS = 10_000
MOST_VARIABLES = 100


class Choice(StrEnum):
    """Which records of those that pass the filters."""

    DEFAULT = "default"
    LAST_ITEM = "last_item"
    LAST_VALUE = "last_value"
    LAST_LOCATION = "last_location"
    LAST_INSERT = "last_insert"
    FIRST_ITEM = "first_item"
    FIRST_VALUE = "first_value"
    FIRST_LOCATION = "first_location"
    FIRST_INSERT = "first_insert"
    COUNT = "count"
    MINIMUM = "min"
    MAXIMUM = "max"
    AVERAGE = "avg"
    SUM = "sum"

    @property
    def gives_number(self) -> bool:
        """Whether the answer is a number and no records."""
        return self in {Choice.COUNT, Choice.MINIMUM, Choice.MAXIMUM, Choice.AVERAGE, Choice.SUM}


@dataclass(frozen=True, slots=True)
class DataQuery:
    """Filters, and what is wanted of the records that pass them. An empty filter lets everything pass.

    With several variables, ``qty``, ``skip`` and first or last hold for each of them. ``start`` and ``end`` belong to
    the period. ``values`` are strings, as a query string has nothing else. ``details``: with what the registry knows of
    a record beyond what was posted.
    """

    choice: Choice
    variables: Sequence[str]
    groups: Sequence[str]
    ids: Sequence[str]
    values: Sequence[str]
    start: datetime | None
    end: datetime | None
    qty: int
    skip: int
    ascending: bool
    details: bool


_LISTS = {
    "variable": "variables",
    "group": "groups",
    "serie": "groups",
    "series": "groups",
    "id": "ids",
    "value": "values",
}
"""Other names of the lists, all of which a client may send."""

_SINGLE = ("query", "start_date", "end_date", "qty", "skip", "ordination", "details")

QUERY = ("variables", "groups", "ids", "values", *_SINGLE)
"""The parameters, by their principal names."""


def parse_data_query(parameters: Parameters, now: datetime) -> DataQuery:
    """Read the query parameters. Raises :class:`registry.refusal.RefusedError`.

    A parameter that is not supported is refused, since an answer that ignored a filter would be taken for the filtered
    one.
    """
    lists: dict[str, list[str]] = {"variables": [], "groups": [], "ids": [], "values": []}
    for name, values in parameters.items():
        place = _LISTS.get(name, name)
        if place in lists:
            lists[place] += values
        elif name not in _SINGLE:
            raise invalid(f"{name} is not supported; there are {', '.join(QUERY)}")
    variables = list(dict.fromkeys(lists["variables"]))
    if len(variables) > MOST_VARIABLES:
        raise invalid(f"variables: there are {len(variables):,}; ask for at most {MOST_VARIABLES} at a time")
    qty = read_whole_number(parameters, "qty", default=DEFAULT_RECORDS, least=1, most=MOST_RECORDS)
    return DataQuery(
        choice=Choice(_read_word(parameters, "query", list(Choice))),
        variables=variables,
        groups=lists["groups"],
        ids=lists["ids"],
        values=lists["values"],
        start=_read_end(parameters, "start_date", now),
        end=_read_end(parameters, "end_date", now),
        qty=min(qty, MOST_RECORDS // max(1, len(variables))),
        skip=read_whole_number(parameters, "skip", default=0, least=0, most=999_999_999),
        ascending=_read_word(parameters, "ordination", ["descending", "ascending"]) == "ascending",
        details=_read_word(parameters, "details", ["false", "true"]) == "true",
    )


def _read_word(parameters: Parameters, name: str, words: Sequence[str]) -> str:
    """Read one of a few words; the first is the default."""
    word = parameters.get(name, words)[0]
    if word not in words:
        raise invalid(f"{name} must be one of {', '.join(words)}")
    return word


def _read_end(parameters: Parameters, name: str, now: datetime) -> datetime | None:
    if name not in parameters:
        return None
    end = parse_end(parameters[name][0], now)
    if end is None:
        raise invalid(f"{name} must be an ISO 8601 time, or how long ago, such as: 1 day")
    return end
