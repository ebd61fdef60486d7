"""``sluice presets``: the network servers whose uplinks are known, and where they put serial, payload and port."""

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.flags import AsJson
from cli.terminal import fail, print_document
from common.fields.field_map import FieldMap, parse_field_map
from common.fields.field_path import Path
from common.fields.presets import PRESETS, closest_presets


def presets(
    name: str | None = None,
    *,
    as_json: AsJson = False,
) -> int:
    """List the presets: field maps of known network servers, for a key's additional parameters.

    "preset=NAME" fills in everything that the additional parameters do not give themselves.

    Parameters
    ----------
    name
        Print the text of one preset, to change it.
    as_json
        Print them as JSON.

    """
    if name is not None and name not in PRESETS:
        return fail(f"there is no preset {name!r}; the closest are {', '.join(closest_presets(name))}")
    chosen = {name: PRESETS[name]} if name is not None else PRESETS
    if as_json:
        print_document(
            [{"preset": each, "server": preset.server, "map": preset.text} for each, preset in chosen.items()]
        )
    elif name is not None:
        print(PRESETS[name].text)  # noqa: T201 - for a person, to be copied
    else:
        Console(highlight=False).print(tabulate_presets())
    return 0


def tabulate_presets() -> Table:
    """Show each preset with its paths, and how the items are known that are no uplinks."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, preset in PRESETS.items():
        table.add_row(name, Text(preset.server))
        for fact in _list_facts(parse_field_map(preset.text)):
            table.add_row("", Text(fact, style="dim"))  # as Text: a path may look like markup
    return table


def _list_facts(field_map: FieldMap) -> Iterator[str]:
    yield f"serial {_dot(field_map.serial)}{' (base64 or hexadecimal)' if field_map.serial_encoding else ''}"
    yield f"payload {_dot(field_map.payload)}{_describe_encoding(field_map)}"
    yield f"port {_dot(field_map.port)}" if field_map.port else "no port"
    if field_map.array_is_one:
        yield "a top-level array is one uplink"
    if field_map.set_aside is not None:
        yield f"set aside as no uplink: {str(field_map.set_aside).replace(',', ', ')}"


def _describe_encoding(field_map: FieldMap) -> str:
    if field_map.encoding_field is not None:
        return f" ({_dot(field_map.encoding_field)} says how it is encoded)"
    return " (base64)" if field_map.encoding == "base64" else ""


def _dot(path: Path | None) -> str:
    return ".".join(path or ())
