"""What to tell a sender whose uplink lacks a field: names and types of what is there, never a value."""

from collections.abc import Iterable
from itertools import islice
from typing import Any

from common.envelope import Item, Query
from common.fields.field_path import Path, first_value, walk
from common.fields.wanted_field import INTEGER_BITS, WantedField

NAMED_KEYS = 10
"""How many keys of an object a message names."""

KEY_CHARACTERS = 80
"""How much of a key a message shows."""


_TYPE_NAMES = {
    type(None): "null",
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    str: "a string",
    dict: "an object",
    list: "an array",
}


def explain_path(field: WantedField, path: Path, item: Item, query: Query, closest: str | None) -> str:
    """Say how far the mapped path led, in the body and in the query, and which path was probably meant."""
    dotted = ".".join(path)
    body = "the request has no body" if item is None else _explain_walk(field, path, item)
    if dotted in query:
        in_query = f"{_quote(dotted)} in the query {_explain_unusable(field, first_value(query[dotted]))}"
    else:
        in_query = f"the query has no {_quote(dotted)}"
        if item is None:
            in_query += f" among {_name_keys(query)}"
    meant = "" if closest is None or closest == dotted else f"; did you mean {closest!r}?"
    return f"no {field.name} at {_quote(dotted)}: {body}, and {in_query}{meant}"


def explain_common_names(field: WantedField, item: Item, query: Query, closest: str | None) -> str:
    """Say which names were tried, which of them held something unusable, and which path holds one further down."""
    tried = f"no {field.name} under a common name ({', '.join(field.common_names)})"
    fields: list[tuple[str, Any]]
    parameters = [(key, first_value(values)) for key, values in query.items()]
    match item:
        case None:
            place, fields = f"the request has no body, and the query has {_name_keys(query)}", parameters
        case dict():
            place, fields = f"the body has {_name_keys(item)}", [*item.items(), *parameters]
        case list():
            place, fields = "the body is an array", parameters
    unusable = [f"{_quote(key)} holds {_name_type(value)}" for key, value in fields if key.lower() in field.ranks]
    but = f"; {', '.join(unusable[:NAMED_KEYS])} ({field.usable})" if unusable else ""
    return f"{tried}: {place}{but}; the key's additional parameters can name its path ({field.name}={closest or '…'})"


def _explain_walk(field: WantedField, path: Path, item: dict[str, Any] | list[Any]) -> str:
    here, path, depth = walk(item, path)
    if depth == len(path):
        return f"{_quote('.'.join(path))} {_explain_unusable(field, here)}"
    where = _quote(".".join(path[:depth])) if depth else "the body"
    match here:
        case dict():
            return f"{where} has {_name_keys(here)} and no {_quote(path[depth])}"
        case list():
            return f"{where} is an array of {len(here)} and has no member {_quote(path[depth])}"
        case _:
            return f"{where} holds {_name_type(here)} and so no {_quote(path[depth])}"


def _explain_unusable(field: WantedField, value: Any) -> str:
    return f"holds {_name_type(value)} ({field.usable})"


def _name_keys(fields: Iterable[str]) -> str:
    keys = list(fields)
    if not keys:
        return "no keys"
    named = ", ".join(map(_quote, islice(keys, NAMED_KEYS)))
    return f"{named} and {len(keys) - NAMED_KEYS} more" if len(keys) > NAMED_KEYS else named


def _quote(key: str) -> str:
    return repr(key if len(key) <= KEY_CHARACTERS else f"{key[:KEY_CHARACTERS]}…")


def _name_type(value: Any) -> str:
    if isinstance(value, str) and not value.strip():
        return "an empty string"
    if isinstance(value, int) and value.bit_length() > INTEGER_BITS:
        return f"an integer of {value.bit_length()} bits"
    return _TYPE_NAMES[type(value)]
