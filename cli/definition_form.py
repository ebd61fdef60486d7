"""From a definition's fields to what the registry takes: a fault costs what it is in, and not the whole definition."""

from collections.abc import Sequence
from typing import Any, TypeAlias, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from cli.definition_files import DefinitionError
from common.registry_requests import Document
from common.validation import describe_error
from registry.form import Form

NEEDED = frozenset(
    {
        ("name",),
        ("networks",),
        ("serial_number",),
        ("serial_number", "mask"),
        ("serial_number", "case"),
        ("serial_number", "required"),
    }
)
"""What cannot be left out: without its rule, a network would take any serial."""

_IN_PARTS = frozenset({"device_parameters", "serial_number"})
"""Fields of which one member can be left out."""

Place: TypeAlias = tuple[int | str, ...]
AnyForm = TypeVar("AnyForm", bound=Form)


def fit_form(form: type[AnyForm], fields: Document) -> tuple[AnyForm, list[str]]:
    """Give the form without what it refuses, and what that was.

    Raises :class:`cli.definition_files.DefinitionError` where nothing of use would be left.
    """
    remarks: list[str] = []
    while True:
        try:
            return form.model_validate(fields), remarks
        except ValidationError as error:
            problems = error.errors(include_url=False, include_context=False, include_input=False)
        faults: dict[Place, str] = {}
        for problem in problems:
            faults.setdefault(_find_part(problem), _describe(problem))
        if needed := [message for place, message in faults.items() if place in NEEDED]:
            raise DefinitionError("; ".join(needed))
        remarks += [f"{message}; left out" for message in faults.values()]
        for place in sorted(faults, reverse=True):  # from the end, so that what is left keeps its numbers
            fields = _cut(fields, place)


def _find_part(problem: ErrorDetails) -> Place:
    """Give the part that has to go: an unknown field alone, of anything else the smallest part that has a sense."""
    place = problem["loc"]
    if problem["type"] == "extra_forbidden":
        return place
    return place[: 2 if place[0] in _IN_PARTS else 1]


def _describe(problem: ErrorDetails) -> str:
    place = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"unknown field {place}"
    return f"{place}: {describe_error(problem)}"


def _cut(container: Any, place: Sequence[int | str]) -> Any:
    """Give a copy without what is at a place."""
    first, *rest = place
    copy = container.copy()
    if rest:
        copy[first] = _cut(copy[first], rest)
    else:
        del copy[first]
    return copy
