"""Networks: kinds of connection, with the rule for their serials and the tokens that resolve them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr
from sqlalchemy import Column, Row, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from registry.database import Database
from registry.entries import (
    NetworkChanges,
    NetworkEntry,
    NewNetwork,
    NewNetworkToken,
    ProfileEntry,
    SerialNumber,
    TokenEntry,
)
from registry.ids import create_id
from registry.listing import EVERYTHING, Listing
from registry.parser_presence import ParserPresence
from registry.parsers.check import ParserCheck
from registry.parsers.model import ParserKind
from registry.refusal import conflict, denied, not_found
from registry.revision import advance
from registry.rows import describe_references, read_details
from registry.schema import AUTHORIZATION_KEYS, CONNECTOR_NETWORKS, DEVICES, NETWORK_TOKENS, NETWORKS
from registry.sealing import Sealer
from registry.sharing import NETWORK_SHARING, check_not_own, check_public
from registry.tokens import create_network_token

_ENTRY = (NETWORKS.c.id, NETWORKS.c.profile_id, NETWORKS.c.name, NETWORKS.c.serial_number, NETWORKS.c.public)

_DETAILS = (
    NETWORKS.c.description,
    NETWORKS.c.documentation_url,
    NETWORKS.c.icon_url,
    NETWORKS.c.banner_url,
    NETWORKS.c.logo_url,
    NETWORKS.c.middleware_endpoint,
    NETWORKS.c.device_parameters,
    NETWORKS.c.updated_at,
)

_REFERENCES = {
    "devices": DEVICES.c.network_id,
    "connectors": CONNECTOR_NETWORKS.c.network_id,
    "authorization keys": AUTHORIZATION_KEYS.c.network_id,
}
"""What keeps a network from being removed."""

FIRST_TOKEN = "Default"  # noqa: S105 - a name
"""The name of the token that a network is created with."""


class Networks:
    """The networks of a registry."""

    def __init__(self, database: Database, sealer: Sealer, presence: ParserPresence, parsers: ParserCheck) -> None:
        self._database = database
        self._sealer = sealer
        self._presence = presence
        self._parsers = parsers

    async def create(self, profile_id: str, new: NewNetwork, *, administrator: bool = False) -> NetworkEntry:
        """Create a network, with a token.

        Raises :class:`registry.refusal.RefusedError`: 403 for a public one, 400 for a parser that cannot be run.
        """
        check_public(public=new.public, administrator=administrator)
        await self._parsers.check(ParserKind.NETWORK, new, profile_id)
        async with self._database.writing() as connection:
            network = await add_network(connection, self._sealer, profile_id, new)
        self._presence.forget()
        return network

    async def list_for(self, profile_id: str, listing: Listing = EVERYTHING) -> list[NetworkEntry]:
        """Give the networks that a profile may use; with their parsers only where the listing names that field."""
        columns = _list_columns(with_parser="payload_decoder" in listing.fields)
        query = listing.apply(select(*columns).where(NETWORK_SHARING.usable_by(profile_id)), NETWORKS)
        async with self._database.reading() as connection:
            return [_read_entry(row) for row in await connection.execute(query)]

    async def describe(self, profile_id: str, network_id: str) -> NetworkEntry:
        """Give a network that this profile may use, with its parser. Raises RefusedError (404)."""
        async with self._database.reading() as connection:
            return await find_network(connection, profile_id, network_id, _list_columns(with_parser=True), lock=False)

    async def change(self, profile: ProfileEntry, network_id: str, changes: NetworkChanges) -> None:
        """Change a network of this profile. Raises :class:`registry.refusal.RefusedError`: 404, and as creating one.

        Serials that are stored stay as they are: a new rule is for new devices.
        """
        check_public(public=changes.public, administrator=profile.administrator)
        await self._parsers.check(ParserKind.NETWORK, changes, profile.id)
        values = {**changes.given, "updated_at": datetime.now(UTC)}
        async with self._database.writing() as connection:
            await NETWORK_SHARING.check_owner(connection, profile.id, network_id)
            await connection.execute(update(NETWORKS).where(NETWORKS.c.id == network_id).values(values))
            await advance(connection)
        self._presence.forget()

    async def remove(self, profile_id: str, network_id: str) -> None:
        """Remove a network that nothing uses. Raises :class:`registry.refusal.RefusedError` (404, 403, 409)."""
        async with self._database.writing() as connection:
            await NETWORK_SHARING.check_owner(connection, profile_id, network_id)
            await _check_unused(connection, network_id)
            await connection.execute(delete(NETWORK_TOKENS).where(NETWORK_TOKENS.c.network_id == network_id))
            await NETWORK_SHARING.forget(connection, network_id)
            await connection.execute(delete(NETWORKS).where(NETWORKS.c.id == network_id))
            await advance(connection)

    async def list_all(self) -> list[NetworkEntry]:
        """Give the networks of every profile, the oldest first."""
        async with self._database.reading() as connection:
            return [_read_entry(row) for row in await connection.execute(select(*_ENTRY).order_by(NETWORKS.c.id))]

    async def authenticate(self, token: str) -> NetworkEntry:
        """Give the network that this token belongs to. Raises :class:`registry.refusal.RefusedError` (401)."""
        query = select(*_ENTRY).join(NETWORK_TOKENS).where(NETWORK_TOKENS.c.token_index == self._sealer.index(token))
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            raise denied()
        return _read_entry(row)

    # Tokens

    async def tokens(self) -> dict[str, SecretStr]:
        """Give the newest token of each network, by the network's id."""
        query = select(NETWORK_TOKENS.c.network_id, NETWORK_TOKENS.c.sealed_token, NETWORK_TOKENS.c.id)
        async with self._database.reading() as connection:
            rows = await connection.execute(query.order_by(NETWORK_TOKENS.c.id))
            return {row.network_id: self._sealer.unseal(row.sealed_token, row.id) for row in rows}

    async def add_token(self, profile_id: str, new: NewNetworkToken) -> tuple[NetworkEntry, TokenEntry]:
        """Give a network of this profile a further token. Raises :class:`registry.refusal.RefusedError` (404, 403)."""
        async with self._database.writing() as connection:
            await NETWORK_SHARING.check_owner(connection, profile_id, new.network)
            token = await add_network_token(connection, self._sealer, new.network, new.name)
            await advance(connection)
            return await find_network(connection, profile_id, new.network), token

    async def list_tokens(self, profile_id: str, network_id: str, listing: Listing = EVERYTHING) -> list[TokenEntry]:
        """Give the tokens of a network of this profile. Raises :class:`registry.refusal.RefusedError` (404, 403)."""
        query = listing.apply(select(NETWORK_TOKENS).where(NETWORK_TOKENS.c.network_id == network_id), NETWORK_TOKENS)
        async with self._database.reading() as connection:
            await NETWORK_SHARING.check_owner(connection, profile_id, network_id, lock=False)
            rows = await connection.execute(query)
            return [TokenEntry(row.id, row.name, "full", self._sealer.unseal(row.sealed_token, row.id)) for row in rows]

    async def remove_token(self, profile_id: str, token: str) -> None:
        """Remove a token of a network of this profile. Raises :class:`registry.refusal.RefusedError` (404)."""
        owned = select(NETWORKS.c.id).where(NETWORKS.c.profile_id == profile_id)
        found = NETWORK_TOKENS.c.token_index == self._sealer.index(token), NETWORK_TOKENS.c.network_id.in_(owned)
        async with self._database.writing() as connection:
            if not (await connection.execute(delete(NETWORK_TOKENS).where(*found))).rowcount:
                raise not_found("Token")
            await advance(connection)

    # Shares

    async def share(self, profile_id: str, network_id: str, other_id: str) -> None:
        """Let another profile use a network of this one. Raises RefusedError (404, 403, 400)."""
        check_not_own(profile_id, other_id)
        async with self._database.writing() as connection:
            await NETWORK_SHARING.check_owner(connection, profile_id, network_id)
            await NETWORK_SHARING.share(connection, network_id, other_id)
            await advance(connection)

    async def withdraw(self, profile_id: str, network_id: str, other_id: str) -> None:
        """End a share: the other profile's keys for this network stop, and its serials resolve no longer.

        Its devices stay, with their data, and go on when it is shared again. Raises RefusedError (404, 403).
        """
        async with self._database.writing() as connection:
            await NETWORK_SHARING.check_owner(connection, profile_id, network_id)
            if not await NETWORK_SHARING.withdraw(connection, network_id, other_id):
                raise not_found("Share")
            await advance(connection)

    async def list_shares(self, profile_id: str, network_id: str) -> list[dict[str, str]]:
        """Give the profiles that may use a network of this one. Raises RefusedError (404, 403)."""
        async with self._database.reading() as connection:
            await NETWORK_SHARING.check_owner(connection, profile_id, network_id, lock=False)
            return await NETWORK_SHARING.list_profiles(connection, network_id)


async def add_network(connection: AsyncConnection, sealer: Sealer, profile_id: str, new: NewNetwork) -> NetworkEntry:
    """Create a network, with a token: a network without one is of no use to anybody."""
    network = NetworkEntry(create_id(), profile_id, new.name, new.serial_number, new.public)
    values = {**new.given, "id": network.id, "profile_id": profile_id}
    await connection.execute(insert(NETWORKS).values(values))
    await add_network_token(connection, sealer, network.id, FIRST_TOKEN)
    await advance(connection)
    return network


async def add_network_token(connection: AsyncConnection, sealer: Sealer, network_id: str, name: str) -> TokenEntry:
    """Create a token of a network."""
    token = TokenEntry(create_id(), name, "full", create_network_token())
    await connection.execute(
        insert(NETWORK_TOKENS).values(
            id=token.id,
            network_id=network_id,
            name=name,
            **sealer.columns(token.token, token.id),
        )
    )
    return token


async def find_network(
    connection: AsyncConnection,
    profile_id: str,
    network_id: str,
    columns: Sequence[Column[Any]] = _ENTRY,
    *,
    lock: bool = True,
) -> NetworkEntry:
    """Give a network that this profile may use, and have its owner wait until the transaction ends.

    Raises :class:`registry.refusal.RefusedError` (404).
    """
    query = select(*columns).where(NETWORKS.c.id == network_id, NETWORK_SHARING.usable_by(profile_id))
    if lock:
        query = query.with_for_update(read=True, key_share=True)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise not_found("Network")
    return _read_entry(row)


async def _check_unused(connection: AsyncConnection, network_id: str) -> None:
    """Raise :class:`registry.refusal.RefusedError` (409) while anything refers to the network, whoever's it is."""
    users = await describe_references(connection, network_id, _REFERENCES)
    if users:
        raise conflict(f"The network is in use by {users}; remove these first")


def _list_columns(*, with_parser: bool) -> Sequence[Column[Any]]:
    return (*_ENTRY, *_DETAILS, NETWORKS.c.payload_decoder) if with_parser else (*_ENTRY, *_DETAILS)


def _read_entry(row: Row[*tuple[Any, ...]]) -> NetworkEntry:
    # Not validated: a mask that would be refused today still has to be shown, so that it can be mended.
    serial_number = None if row.serial_number is None else SerialNumber.model_construct(**row.serial_number)
    return NetworkEntry(row.id, row.profile_id, row.name, serial_number, row.public, read_details(row, _ENTRY))
