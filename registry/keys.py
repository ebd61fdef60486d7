"""Authorization keys: a customer's right to send, and how their fields are read."""

from typing import Any

from sqlalchemy import Row, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from common.fields.field_map import FieldMapError, parse_field_map
from registry.database import Database
from registry.entries import KeyEntry, NewKey
from registry.ids import create_id
from registry.listing import EVERYTHING, Listing
from registry.networks import find_network
from registry.refusal import denied, invalid
from registry.schema import AUTHORIZATION_KEYS, NETWORKS
from registry.sealing import Sealer
from registry.tokens import create_key_token

FIELD_MAP_CHARACTERS = 2_000
"""Many times the longest that anybody needs."""


class Keys:
    """The authorization keys of a registry."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    async def create(self, profile_id: str, new: NewKey) -> KeyEntry:
        """Create a key.

        Raises :class:`registry.refusal.RefusedError`: 400 for additional parameters that are no field map or a network
        that is not named where there are several, 404 for one that is not there.
        """
        _check_field_map(new.verification_code)
        async with self._database.writing() as connection:
            network_id = await _choose_network(connection, profile_id, new.network)
            key = KeyEntry(
                id=create_id(),
                profile_id=profile_id,
                network_id=network_id,
                name=new.name,
                additional_parameters=new.verification_code,
                enabled=new.enabled,
                token=create_key_token(),
            )
            await self._add(connection, key)
        return key

    async def list_for(self, profile_id: str, listing: Listing = EVERYTHING) -> list[KeyEntry]:
        """Give the keys of a profile."""
        owned = select(AUTHORIZATION_KEYS).where(AUTHORIZATION_KEYS.c.profile_id == profile_id)
        async with self._database.reading() as connection:
            rows = await connection.execute(listing.apply(owned, AUTHORIZATION_KEYS))
            return [self._read_entry(row) for row in rows]

    async def list_all(self) -> list[KeyEntry]:
        """Give the keys of every profile, the oldest first."""
        async with self._database.reading() as connection:
            rows = await connection.execute(select(AUTHORIZATION_KEYS).order_by(AUTHORIZATION_KEYS.c.id))
            return [self._read_entry(row) for row in rows]

    async def authenticate(self, token: str) -> str:
        """Give the id of the profile whose key this is.

        Raises :class:`registry.refusal.RefusedError` (401) for a key that is unknown or disabled.
        """
        keys = AUTHORIZATION_KEYS.c
        query = select(keys.profile_id).where(keys.token_index == self._sealer.index(token), keys.enabled)
        async with self._database.reading() as connection:
            profile_id: str | None = (await connection.execute(query)).scalar_one_or_none()
        if profile_id is None:
            raise denied()
        return profile_id

    async def _add(self, connection: AsyncConnection, key: KeyEntry) -> None:
        await connection.execute(
            insert(AUTHORIZATION_KEYS).values(
                id=key.id,
                profile_id=key.profile_id,
                network_id=key.network_id,
                name=key.name,
                additional_parameters=key.additional_parameters,
                enabled=key.enabled,
                token_index=self._sealer.index(key.token.get_secret_value()),
                sealed_token=self._sealer.seal(key.token, key.id),
            )
        )

    def _read_entry(self, row: Row[*tuple[Any, ...]]) -> KeyEntry:
        return KeyEntry(
            id=row.id,
            profile_id=row.profile_id,
            network_id=row.network_id,
            name=row.name,
            additional_parameters=row.additional_parameters,
            enabled=row.enabled,
            token=self._sealer.unseal(row.sealed_token, row.id),
        )


def _check_field_map(text: str) -> None:
    if len(text) > FIELD_MAP_CHARACTERS:
        raise invalid(f"verification_code: it has {len(text):,} characters; at most {FIELD_MAP_CHARACTERS:,} are taken")
    try:
        parse_field_map(text)
    except FieldMapError as error:
        raise invalid(f"verification_code: {error}") from None


async def _choose_network(connection: AsyncConnection, profile_id: str, network_id: str | None) -> str:
    """Give the network of a new key: the one that is named, or the only one that the profile has."""
    if network_id is not None:
        return (await find_network(connection, profile_id, network_id)).id
    rows = await connection.execute(select(NETWORKS.c.id, NETWORKS.c.name).where(NETWORKS.c.profile_id == profile_id))
    networks = rows.all()
    if len(networks) != 1:
        raise invalid("network: name the one that this key is for; the profile does not have exactly one")
    only: str = networks[0].id
    return only
