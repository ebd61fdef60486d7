"""From the text of ``sluice.toml`` to a directory. No I/O; the environment is given."""

import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from common.directory.model import AuthorizationKey, Directory, Downstream, Network
from common.directory.problems import DirectoryError, Problems, format_key_path
from common.directory.references import resolve_references
from common.directory.tables import AuthorizationTable, NetworkTable, check_url, read_tables
from common.serial import SerialRule


def parse_directory(
    content: bytes, *, file: str, environ: Mapping[str, str], downstream_url: str | None = None
) -> Directory:
    """Read the content of a file; ``file`` is its name for messages, ``downstream_url`` takes the place of its URL.

    Raises :class:`DirectoryError` with everything that is wrong, as far as the syntax lets it be seen.
    """
    document = _parse_toml(content, file)
    if downstream_url is not None:
        document = _replace_url(document, downstream_url)
    problems = Problems()
    resolved = resolve_references(document, environ, problems)
    tables = read_tables(resolved, problems)
    _check_networks(resolved, problems)
    _check_tokens(resolved, problems)
    if tables is None or problems:
        raise problems.to_error(file)
    downstream = Downstream(url=tables.downstream.url, posts_per_minute=tables.downstream.posts_per_minute)
    return Directory(
        downstream=downstream,
        networks=tuple(build_network(network_id, table) for network_id, table in tables.networks.items()),
        keys=tuple(build_key(key_id, table) for key_id, table in tables.authorizations.items()),
    )


def _parse_toml(content: bytes, file: str) -> dict[str, Any]:
    try:
        # -sig: some editors begin a file with a byte order mark
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problem = f"is not UTF-8 (at line {line}); save it in that encoding"
    except tomllib.TOMLDecodeError as error:
        problem = f"is no TOML: {error}; text stands in quotes, a table's name in brackets"
    except (RecursionError, ValueError):
        problem = "is no TOML that can be read: something is nested too deeply, or a number is too long"
    # raised here and not above: the causes hold the document, tokens and all
    raise DirectoryError(f"{file}: {problem}")


def _replace_url(document: dict[str, Any], url: str) -> dict[str, Any]:
    try:
        check_url(url)
    except ValueError as error:
        raise DirectoryError(f"SLUICE_DOWNSTREAM: {error}") from None
    downstream = document.get("downstream", {})
    return document | {"downstream": downstream | {"url": url}} if isinstance(downstream, dict) else document


def _check_networks(document: Mapping[str, Any], problems: Problems) -> None:
    """Note keys whose network is not there. By the raw document, so that they are told beside every other problem."""
    networks = list(_tables(document, "networks"))
    if not networks:
        return  # that there are none is a problem of its own
    for key_id, table in _tables(document, "authorizations").items():
        name = table.get("network")
        if isinstance(name, str) and name not in networks:
            # the name itself is not repeated: it may be a token that was put into the wrong field
            close = get_close_matches(name, networks, n=1)
            remedy = f"did you mean {close[0]}?" if close else f"there are {', '.join(networks)}"
            problems.add(("authorizations", key_id, "network"), f"no such network; {remedy}")


def _check_tokens(document: Mapping[str, Any], problems: Problems) -> None:
    """Note keys with the token of another one: it could not be told who sends. By the raw document, as above."""
    owners: dict[str, str] = {}
    for key_id, table in _tables(document, "authorizations").items():
        token = table.get("token")
        if isinstance(token, str) and owners.setdefault(token, key_id) != key_id:
            other = format_key_path(("authorizations", owners[token]))
            problems.add(("authorizations", key_id, "token"), f"is the token of {other} too; give each its own")


def _tables(document: Mapping[str, Any], group: str) -> dict[str, dict[str, Any]]:
    members = document.get(group)
    if not isinstance(members, dict):
        return {}
    return {name: table for name, table in members.items() if isinstance(table, dict)}


def build_network(network_id: str, table: NetworkTable, name: str | None = None) -> Network:
    """Give the network of a table, which is called by its id where it has no other ``name``."""
    return Network(
        id=network_id,
        name=name or network_id,
        token=table.token,
        serial=SerialRule(format=table.serial.format, force_case=table.serial.force_case),
        share_posts=table.share_posts,
    )


def build_key(key_id: str, table: AuthorizationTable, name: str | None = None) -> AuthorizationKey:
    """Give the key of a table, which is called by its id where it has no other ``name``."""
    return AuthorizationKey(
        id=key_id,
        name=name or key_id,
        token=table.token,
        network=table.network,
        field_map=table.additional_parameters,
        profile=table.profile,
        requests_per_minute=table.requests_per_minute,
        enabled=table.enabled,
        expires_at=table.expires_at,
    )
