"""The result of a parser as records: coerced where TagoIO's rules allow, refused otherwise."""

from collections.abc import Iterable, Sequence
from typing import Any

from registry.parsers.model import Record


class ResultRefusedError(Exception):
    """The result is not made of records. The message says which of them is not, and what it would have to be."""


def coerce_records(result: Sequence[Any], payload: Any) -> list[Record]:
    """Give the records of a result, as ``POST /data`` takes them.

    Numbers as group and serie become strings and a variable's name lower case, as TagoIO has them. What has no value
    keeps none, and a record without group or time gets those of the payload: a reading keeps its time, however long it
    was on its way. Everything else is for the rules of records to judge. Raises :class:`ResultRefusedError`.
    """
    inherited = _find_inherited(payload)
    return [inherited | _coerce(index, fields) for index, fields in enumerate(result)]


def _find_inherited(payload: Any) -> dict[str, Any]:
    """Give the group and the time of what was posted, from the first records that have one."""
    records = [fields for fields in payload if isinstance(fields, dict)] if isinstance(payload, list) else []
    found = {"group": _first(fields.get("group") or fields.get("serie") for fields in records)}
    found["time"] = _first(fields.get("time") for fields in records)
    return {name: _coerce_text(value) if name == "group" else value for name, value in found.items() if value}


def _first(values: Iterable[Any]) -> Any:
    return next((value for value in values if value), None)


def _coerce(index: int, fields: Any) -> dict[str, Any]:
    if not isinstance(fields, dict):
        raise ResultRefusedError(f"Record {index} must be an object")
    record = {name: value for name, value in fields.items() if value is not None}
    for name in ("group", "serie"):
        if name in record:
            record[name] = _coerce_text(record[name])
    if record.get("serie"):
        record.setdefault("group", record["serie"])
    if isinstance(record.get("variable"), str):
        record["variable"] = record["variable"].lower()
    return record


def _coerce_text(value: Any) -> Any:
    """Write a number as JavaScript does, and leave everything else alone."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return str(int(value)) if float(value).is_integer() else repr(value)
