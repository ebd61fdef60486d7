"""The directory as a registry serves it: the tables of ``sluice.toml`` as JSON (docs/wire-format.md). No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from pydantic import ValidationError

from common.directory.document import build_key, build_network
from common.directory.model import Directory, Downstream
from common.directory.problems import DirectoryError
from common.directory.tables import AuthorizationTable, NetworkTable, Table

Member = TypeVar("Member", bound=Table)

PATH = "/directory"
"""Where a registry serves it."""

VERSION = 1
"""Of the document. Whoever reads it is upgraded before the registry is."""


class _ServedNetworkTable(NetworkTable):
    """A network, and what people call it; a registry of an earlier version does not say."""

    name: str | None = None


class _ServedAuthorizationTable(AuthorizationTable):
    """A key, and what people call it."""

    name: str | None = None


class _ServedTables(Table):
    """Either group may be empty: a registry begins without a key."""

    version: Literal[1]
    networks: dict[str, dict[str, Any]]
    authorizations: dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class ServedDirectory:
    """A directory, and the ids of networks and keys that it does not have because this version cannot read them."""

    directory: Directory
    left_out: tuple[str, ...]


def parse_served_directory(content: bytes, *, downstream_url: str) -> ServedDirectory:
    """Read a document; the registry has no limit on posts.

    A network or key that cannot be read, such as one with a preset that only a newer Sluice knows, is left out: the
    others can do nothing about it. Anything else that is wrong raises :class:`DirectoryError`, whose message holds no
    value.
    """
    tables = _read_tables(content)
    left_out: list[str] = []
    networks = _read_members(tables.networks, _ServedNetworkTable, left_out)
    keys = _read_members(tables.authorizations, _ServedAuthorizationTable, left_out)
    directory = Directory(
        downstream=Downstream(url=downstream_url, posts_per_minute=0),
        networks=tuple(build_network(network_id, table, table.name) for network_id, table in networks.items()),
        keys=tuple(build_key(key_id, table, table.name) for key_id, table in keys.items()),
    )
    return ServedDirectory(directory, tuple(left_out))


def _read_tables(content: bytes) -> _ServedTables:
    try:
        return _ServedTables.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(key) for key in first["loc"]) or "the document"
    raise DirectoryError(f"{place}: {first['msg']}")  # and not above: the cause holds the document, tokens and all


def _read_members(tables: Mapping[str, Any], model: type[Member], left_out: list[str]) -> dict[str, Member]:
    members: dict[str, Member] = {}
    for member_id, table in tables.items():
        try:
            members[member_id] = model.model_validate(table, strict=False)  # in JSON a time is text
        except ValidationError:
            left_out.append(member_id)
    return members
