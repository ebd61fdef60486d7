"""What the registry holds, as a person names it and sees it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.registry_access import RegistryClient, RegistryError
from cli.terminal import print_line
from common.registry_requests import Document

NAMED_BY = ("id", "name", "serie_number", "token")
"""The fields that an entry may be called by."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of entry: its name, where the API has it, and which fields a list shows under which title.

    ``removed_by`` is the field that the API wants in the path of a DELETE.
    """

    name: str
    path: str
    columns: Mapping[str, str]
    removed_by: str = "id"


NETWORK = Kind("network", "/integration/network", {"id": "id", "name": "name", "serial": "serial_number"})
CONNECTOR = Kind("connector", "/integration/connector", {"id": "id", "name": "name", "networks": "networks"})
DEVICE = Kind(
    "device",
    "/device",
    {"id": "id", "name": "name", "serial": "serie_number", "network": "network", "connector": "connector"},
)
KEY = Kind(
    "key",
    "/serviceauth",
    {"id": "id", "name": "name", "network": "network", "map": "verification_code", "enabled": "enabled"},
    removed_by="token",
)


def find_entry(client: RegistryClient, kind: Kind, called: str) -> Document:
    """Give the one entry with this id, name, serial or token. Raises RegistryError where there is not exactly one."""
    entries = [entry for entry in client.list_all(kind.path) if called in (entry.get(name) for name in NAMED_BY)]
    ids = ", ".join(str(entry["id"]) for entry in entries)
    return _require_one(
        entries,
        none=f"there is no {kind.name} {called!r}; `sluice {kind.name} list` shows what there is",
        several=f"there are {len(entries)} {kind.name}s {called!r}; name one by its id: {ids}",
    )


def choose_entry(kind: Kind, entries: Sequence[Document]) -> Document:
    """Give the only entry that there is to choose. Raises RegistryError where there are others, or none."""
    names = ", ".join(repr(entry["name"]) for entry in entries)
    return _require_one(
        entries,
        none=f"there is no {kind.name} that it could belong to; create one first",
        several=f"there are several {kind.name}s, so name one with --{kind.name}: {names}",
    )


def _require_one(entries: Sequence[Document], *, none: str, several: str) -> Document:
    if len(entries) == 1:
        return entries[0]
    raise RegistryError(several if entries else none)


def print_list(kind: Kind, entries: Iterable[Document], *, as_json: bool) -> None:
    """Show entries: one row each, or with everything that is known as one line of JSON each."""
    if as_json:
        for entry in entries:
            print_line(entry)
    else:
        Console().print(tabulate_list(kind, list(entries)))


def print_entry(entry: Document, *, as_json: bool) -> None:
    """Show everything that is known of one entry."""
    if as_json:
        print_line(entry)
    else:
        Console().print(tabulate_entry(entry))


def tabulate_list(kind: Kind, entries: list[Document]) -> Table:
    """Give one row for each entry. An id is to be copied whole, however narrow the terminal."""
    table = Table(title=f"{kind.name}s: {len(entries):,}")
    for title in kind.columns:
        table.add_column(title, no_wrap=title == "id", overflow="fold")
    for entry in entries:
        table.add_row(*(write_value(entry.get(name)) for name in kind.columns.values()))
    return table


def tabulate_entry(entry: Document) -> Table:
    """Give one row for each field that holds something."""
    table = Table.grid(padding=(0, 2))
    for name, value in entry.items():
        if value not in (None, "", [], {}):
            table.add_row(Text(name, "bold"), write_value(value))
    return table


def write_value(value: Any) -> Text:
    """Give a value for a cell; as Text, so that what somebody named a thing is not taken for markup."""
    if value is None:
        return Text("")
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    return Text(value if isinstance(value, str) else orjson.dumps(value).decode())
