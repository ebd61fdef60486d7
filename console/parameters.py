"""Device parameters in forms: what networks and connectors ask of their devices."""

from itertools import zip_longest
from typing import Any, Final

from common.registry_requests import Document
from console.forms import Form

COLUMNS: Final = ("name", "label", "type", "group", "default", "options")
"""What a row of the form holds; the fields are named after these."""


def read_parameters(form: Form) -> list[Document] | None:
    """Read the rows of the parameters; a row without a name is none. None: there are none."""
    columns = [form.texts(f"parameter_{name}") for name in COLUMNS]
    rows = (dict(zip(COLUMNS, row, strict=True)) for row in zip_longest(*columns, fillvalue=""))
    return [_read_row(row) for row in rows if row["name"]] or None


def show_parameters(parameters: list[Document] | None) -> list[dict[str, str]]:
    """Give the rows of the form, with an empty one to add another."""
    rows = [
        {
            "name": parameter["name"],
            "label": parameter.get("label") or "",
            "type": parameter["type"],
            "group": parameter.get("group") or "main",
            "default": find_default(parameter),
            "options": "\n".join(f"{each['value']}={each['label']}" for each in parameter.get("options") or ()),
        }
        for parameter in parameters or ()
    ]
    return [*rows, {"name": "", "label": "", "type": "text", "group": "main", "default": "", "options": ""}]


def find_default(parameter: Document) -> str:
    """Give the value that a device has of a parameter unless it is given another; empty: none."""
    chosen = next((each["value"] for each in parameter.get("options") or () if each.get("is_default")), "")
    match parameter.get("default"):
        case None:
            return str(chosen)
        case bool(position):
            return "true" if position else "false"
        case other:
            return str(other)


def _read_row(row: dict[str, str]) -> Document:
    kind, default = row["type"], row["default"]
    parameter: dict[str, Any] = {"name": row["name"], "type": kind, "group": row["group"] or "main"}
    if row["label"]:
        parameter["label"] = row["label"]
    if kind == "dropdown":
        parameter["options"] = [_read_option(line, default) for line in row["options"].splitlines() if line.strip()]
    elif default:
        parameter["default"] = {"true": True, "false": False}.get(default, default) if kind == "switch" else default
    return parameter


def _read_option(line: str, default: str) -> Document:
    """Read ``value=Label``; the label may be left out."""
    value, _, label = (part.strip() for part in line.partition("="))
    option: dict[str, Any] = {"value": value, "label": label or value}
    return option | {"is_default": True} if value == default and default else option
