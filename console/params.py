"""The params of a device in its form: what its network and its connector ask of it, and further ones of its own."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final

from common.registry_requests import Document
from console.forms import Form
from console.parameters import find_default

COLUMNS: Final = ("id", "key", "value")
"""What a row of the form holds; the fields are named after these."""

HIDDEN: Final = "hide"
"""The group of parameters that nobody is asked for."""

_SWITCH: Final = (("true", "on"), ("false", "off"))


@dataclass(frozen=True, slots=True)
class ParamField:
    """One row. ``name`` is the field's in the page; ``id`` is the param's, empty where the device has none yet.

    ``choices`` are values with what people read, for what is chosen and not typed.
    """

    name: str
    id: str
    key: str
    value: str
    label: str = ""
    type: str = "text"
    group: str = "main"
    choices: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class ParamChanges:
    """What a form changes: params that are put, without an id where they are new, and the ids of those that go."""

    put: Sequence[Document]
    removed: Sequence[str]


def join_parameters(*things: Document) -> list[Document]:
    """Give what these ask of a device; of two parameters with one name, the later thing's counts."""
    return list({each["name"]: each for thing in things for each in thing.get("device_parameters") or ()}.values())


def preview_fields(parameters: Iterable[Document]) -> list[ParamField]:
    """Give the fields as the page of a new device has them."""
    asked = [each for each in parameters if each.get("group") != HIDDEN]
    return [_ask(f"preview-{n}", each, {"value": find_default(each)}) for n, each in enumerate(asked, 1)]


def list_fields(
    parameters: Sequence[Document], params: Sequence[Document]
) -> tuple[list[ParamField], list[ParamField]]:
    """Give the fields of what is asked, and those of further params with an empty one to add another."""
    by_key = {param["key"]: param for param in params}
    shown = [each for each in parameters if each.get("group") != HIDDEN]
    asked = [_ask(f"param-{n}", each, by_key.get(each["name"], {})) for n, each in enumerate(shown, 1)]
    names = {parameter["name"] for parameter in parameters}
    own = [param for param in params if param["key"] not in names and (param["key"] or param["id"])]
    further = [
        ParamField(f"param-{n}", param["id"], param["key"], param["value"])
        for n, param in enumerate([*own, dict.fromkeys(COLUMNS, "")], len(asked) + 1)
    ]
    return asked, further


def read_params(form: Form) -> list[Document]:
    """Give the rows of the form as they were typed."""
    columns = [form.texts(f"param_{name}") for name in COLUMNS]
    return [dict(zip(COLUMNS, row, strict=True)) for row in zip_longest(*columns, fillvalue="")]


def find_changes(parameters: Iterable[Document], params: Iterable[Document], typed: Iterable[Document]) -> ParamChanges:
    """Compare what was typed with what the device has. A row without a key goes, and what is asked without a value.

    A param that gets another value is for the device to read again. One whose key is typed again in another row stays,
    and is changed: the registry knows it by its key.
    """
    asked = {parameter["name"] for parameter in parameters}
    present: Mapping[str, Document] = {param["id"]: param for param in params}
    put: list[Document] = []
    removed: list[str] = []
    for row in typed:
        before = present.get(row["id"])
        if not row["key"] or (row["key"] in asked and not row["value"]):
            removed += [] if before is None else [row["id"]]
        elif before is None or (before["key"].strip(), before["value"].strip()) != (row["key"], row["value"]):
            kept = {"id": row["id"]} if row["id"] else {}
            put.append({**kept, "key": row["key"], "value": row["value"], "sent": False})
    keys = {param["key"] for param in put}
    return ParamChanges(put, [param_id for param_id in removed if present[param_id]["key"] not in keys])


def _ask(name: str, parameter: Document, param: Document) -> ParamField:
    return ParamField(
        name,
        param.get("id", ""),
        parameter["name"],
        param.get("value", ""),
        parameter.get("label") or parameter["name"],
        parameter["type"],
        parameter.get("group") or "main",
        _SWITCH
        if parameter["type"] == "switch"
        else [(option["value"], option["label"]) for option in parameter.get("options") or ()],
    )
