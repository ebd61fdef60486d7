"""Authorization keys: a customer's right to send, and how their fields are read."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from common.fields.contradictions import find_contradictions
from common.fields.field_map import FieldMapError, parse_field_map
from registry.database import Database
from registry.entries import KeyChanges, KeyEntry, NewKey
from registry.ids import create_id, is_id
from registry.listing import EVERYTHING, Listing
from registry.networks import find_network
from registry.refusal import denied, invalid, not_found
from registry.revision import advance
from registry.schema import AUTHORIZATION_KEYS, NETWORKS
from registry.sealing import Sealer
from registry.sharing import NETWORK_SHARING
from registry.tokens import create_key_token

FIELD_MAP_CHARACTERS = 2_000
"""Many times the longest that anybody needs."""

_OWN_NAMES = {"verification_code": "additional_parameters", "network": "network_id", "expire_time": "expires_at"}
"""Columns that TagoIO calls by another name."""


class Keys:
    """The authorization keys of a registry."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    async def create(self, profile_id: str, new: NewKey) -> KeyEntry:
        """Create a key.

        Raises :class:`registry.refusal.RefusedError`: 400 for additional parameters that are no field map, or one that
        cannot work, 404 for a network that is not there.
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
                expires_at=new.expire_time,
            )
            await self._add(connection, key)
            await advance(connection)
        return key

    async def list_for(self, profile_id: str, listing: Listing = EVERYTHING) -> list[KeyEntry]:
        """Give the keys of a profile."""
        owned = select(AUTHORIZATION_KEYS).where(AUTHORIZATION_KEYS.c.profile_id == profile_id)
        async with self._database.reading() as connection:
            rows = await connection.execute(listing.apply(owned, AUTHORIZATION_KEYS))
            return [self._read_entry(row) for row in rows]

    async def list_all(self) -> list[KeyEntry]:
        """Give the keys of every profile that may use their network, the oldest first."""
        usable = NETWORK_SHARING.usable_by(AUTHORIZATION_KEYS.c.profile_id)
        query = select(AUTHORIZATION_KEYS).join(NETWORKS).where(usable).order_by(AUTHORIZATION_KEYS.c.id)
        async with self._database.reading() as connection:
            return [self._read_entry(row) for row in await connection.execute(query)]

    async def describe(self, profile_id: str, reference: str) -> KeyEntry:
        """Give a key of this profile by its token or its id. Raises RefusedError (404)."""
        async with self._database.reading() as connection:
            return await self._find(connection, profile_id, reference)

    async def change(self, profile_id: str, reference: str, changes: KeyChanges) -> None:
        """Change a key of this profile, named by its token or its id. Raises RefusedError: 404, and as creating one."""
        _check_field_map(changes.verification_code)
        values = {_OWN_NAMES.get(name, name): value for name, value in changes.given.items() if name != "permission"}
        async with self._database.writing() as connection:
            key = await self._find(connection, profile_id, reference)
            if "network_id" in values:
                values["network_id"] = await _choose_network(connection, profile_id, changes.network)
            if values:
                changed = update(AUTHORIZATION_KEYS).where(AUTHORIZATION_KEYS.c.id == key.id)
                await connection.execute(changed.values(values))
                await advance(connection)

    async def remove(self, profile_id: str, reference: str) -> None:
        """Remove a key of this profile, named by its token or its id. Raises RefusedError (404).

        What is queued under it waits for a key that never comes back, and ends as dead letters.
        """
        async with self._database.writing() as connection:
            key = await self._find(connection, profile_id, reference)
            await connection.execute(delete(AUTHORIZATION_KEYS).where(AUTHORIZATION_KEYS.c.id == key.id))
            await advance(connection)

    async def authenticate(self, token: str) -> str:
        """Give the id of the profile whose key this is.

        Raises :class:`registry.refusal.RefusedError` (401) for a key that is unknown, disabled or expired.
        """
        keys = AUTHORIZATION_KEYS.c
        valid = keys.enabled, or_(keys.expires_at.is_(None), keys.expires_at > datetime.now(UTC))
        query = select(keys.profile_id).where(keys.token_index == self._sealer.index(token), *valid)
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
                expires_at=key.expires_at,
                **self._sealer.columns(key.token, key.id),
            )
        )

    async def _find(self, connection: AsyncConnection, profile_id: str, reference: str) -> KeyEntry:
        keys = AUTHORIZATION_KEYS.c
        named = keys.id == reference if is_id(reference) else keys.token_index == self._sealer.index(reference)
        query = select(AUTHORIZATION_KEYS).where(keys.profile_id == profile_id, named)
        row = (await connection.execute(query)).one_or_none()
        if row is None:
            raise not_found("Authorization")
        return self._read_entry(row)

    def _read_entry(self, row: Row[*tuple[Any, ...]]) -> KeyEntry:
        return KeyEntry(
            id=row.id,
            profile_id=row.profile_id,
            network_id=row.network_id,
            name=row.name,
            additional_parameters=row.additional_parameters,
            enabled=row.enabled,
            expires_at=row.expires_at,
            token=self._sealer.unseal(row.sealed_token, row.id),
        )


def _check_field_map(text: str) -> None:
    if len(text) > FIELD_MAP_CHARACTERS:
        raise invalid(f"verification_code: it has {len(text):,} characters; at most {FIELD_MAP_CHARACTERS:,} are taken")
    try:
        contradictions = find_contradictions(parse_field_map(text))
    except FieldMapError as error:
        raise invalid(f"verification_code: {error}") from None
    if contradictions:
        raise invalid(f"verification_code: {'; '.join(contradictions)}")


async def _choose_network(connection: AsyncConnection, profile_id: str, network_id: str | None) -> str | None:
    """Give the network of a key: the one that is named, else the only one that the profile may use, else none."""
    if network_id is not None:
        return (await find_network(connection, profile_id, network_id)).id
    usable = select(NETWORKS.c.id).where(NETWORK_SHARING.usable_by(profile_id)).limit(2)
    networks = (await connection.execute(usable.with_for_update(read=True, key_share=True))).scalars().all()
    return networks[0] if len(networks) == 1 else None
