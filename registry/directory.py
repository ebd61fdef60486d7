"""The registry's networks and keys as the document that the other roles read as their directory."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from pydantic import SecretStr

from common.directory.served import VERSION
from registry.database import Database
from registry.entries import KeyEntry, NetworkEntry
from registry.keys import Keys
from registry.networks import Networks
from registry.revision import read_revision


@dataclass(frozen=True, slots=True)
class DirectoryDocument:
    """A document, and the tag that it has until something in it changes."""

    etag: str
    content: bytes


class DirectoryDocuments:
    """The document as it is now, written anew only after a change; until then it costs one row."""

    def __init__(self, database: Database, networks: Networks, keys: Keys) -> None:
        self._database = database
        self._networks = networks
        self._keys = keys
        self._writing = asyncio.Lock()
        self._newest = DirectoryDocument("", b"")

    async def read(self) -> DirectoryDocument:
        """Give the document with every change that was committed before; raises what the database raises."""
        etag = await self._read_etag()
        if etag != self._newest.etag:
            async with self._writing:  # those who ask at the same moment share what the first of them writes
                if etag != self._newest.etag:
                    self._newest = DirectoryDocument(etag, await self._write())
        return self._newest

    async def _read_etag(self) -> str:
        async with self._database.reading() as connection:
            return f'"{VERSION}-{await read_revision(connection)}"'

    async def _write(self) -> bytes:
        networks, tokens = await self._networks.list_all(), await self._networks.tokens()
        return write_directory(networks, tokens, await self._keys.list_all())


def write_directory(
    networks: Sequence[NetworkEntry], tokens: Mapping[str, SecretStr], keys: Sequence[KeyEntry]
) -> bytes:
    """Give the document: every network that has a token, and every key of one, whose id is the same here and there.

    The registry's parsers bear several decoded uplinks in one post.
    """
    document = {
        "version": VERSION,
        "networks": {
            network.id: _write_network(network, tokens[network.id]) for network in networks if network.id in tokens
        },
        "authorizations": {key.id: _write_key(key) for key in keys},
    }
    return orjson.dumps(document)


def _write_network(network: NetworkEntry, token: SecretStr) -> dict[str, Any]:
    rule = network.serial_rule
    return {
        "name": network.name,
        "token": token.get_secret_value(),
        "serial": {"format": rule.format, "force_case": rule.force_case},
        "share_posts": True,
    }


def _write_key(key: KeyEntry) -> dict[str, Any]:
    return {
        "name": key.name,
        "token": key.token.get_secret_value(),
        "network": key.network_id,
        "additional_parameters": key.additional_parameters,
        "profile": key.profile_id,
        "requests_per_minute": 0,
        "enabled": key.enabled,
        "expires_at": key.expires_at,
    }
