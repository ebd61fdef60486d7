"""Profiles: whose everything is."""

from pydantic import SecretStr
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from registry.database import Database
from registry.entries import ProfileEntry
from registry.ids import create_id
from registry.listing import EVERYTHING, Listing
from registry.refusal import RefusedError, conflict, denied, not_found
from registry.revision import advance
from registry.rows import describe_references
from registry.schema import (
    AUTHORIZATION_KEYS,
    CONNECTOR_SHARES,
    CONNECTORS,
    DEVICES,
    FILES,
    NETWORK_SHARES,
    NETWORKS,
    PROFILES,
)
from registry.sealing import Sealer
from registry.tokens import create_profile_token

_REFERENCES = {
    "networks": NETWORKS.c.profile_id,
    "connectors": CONNECTORS.c.profile_id,
    "devices": DEVICES.c.profile_id,
    "authorization keys": AUTHORIZATION_KEYS.c.profile_id,
}
"""What keeps a profile from being removed."""

_ENTRY = select(PROFILES.c.id, PROFILES.c.name, PROFILES.c.administrator)


class Profiles:
    """The profiles of a registry."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    async def list_all(self) -> list[ProfileEntry]:
        """Give every profile, the oldest first."""
        async with self._database.reading() as connection:
            rows = await connection.execute(_ENTRY.order_by(PROFILES.c.id))
            return [ProfileEntry(*row) for row in rows]

    async def list_for(self, profile: ProfileEntry, listing: Listing = EVERYTHING) -> list[ProfileEntry]:
        """Give the profiles that this one may see: all of them to an administrator, else itself."""
        query = _ENTRY if profile.administrator else _ENTRY.where(PROFILES.c.id == profile.id)
        async with self._database.reading() as connection:
            return [ProfileEntry(*row) for row in await connection.execute(listing.apply(query, PROFILES))]

    async def create(self, profile: ProfileEntry, name: str) -> tuple[ProfileEntry, SecretStr]:
        """Create a profile, and give its token, which is kept as a hash and shown this once.

        Raises :class:`registry.refusal.RefusedError` (403) for whoever is no administrator.
        """
        if not profile.administrator:
            raise RefusedError(403, "Only an administrator's profile may create profiles")
        async with self._database.writing() as connection:
            return await add_profile(connection, self._sealer, name)

    async def describe(self, profile: ProfileEntry, profile_id: str) -> ProfileEntry:
        """Give a profile that this one may see. Raises RefusedError (404)."""
        async with self._database.reading() as connection:
            return await _find(connection, profile, profile_id)

    async def rename(self, profile: ProfileEntry, profile_id: str, name: str) -> None:
        """Give a profile another name. Raises RefusedError (404)."""
        async with self._database.writing() as connection:
            found = await _find(connection, profile, profile_id)
            await connection.execute(update(PROFILES).where(PROFILES.c.id == found.id).values(name=name))

    async def renew_token(self, profile: ProfileEntry, profile_id: str) -> SecretStr:
        """Give a profile another token in place of the one it has. Raises RefusedError (404)."""
        token = create_profile_token()
        values = {"token_hash": self._sealer.index(token.get_secret_value())}
        async with self._database.writing() as connection:
            found = await _find(connection, profile, profile_id)
            await connection.execute(update(PROFILES).where(PROFILES.c.id == found.id).values(values))
        return token

    async def remove(self, profile: ProfileEntry, profile_id: str) -> None:
        """Remove a profile that has nothing any more.

        Raises :class:`registry.refusal.RefusedError`: 404, 403 for whoever is no administrator, 409 for the
        administrator's own profile and for one that has something.
        """
        if not profile.administrator:
            raise RefusedError(403, "Only an administrator's profile may remove profiles")
        async with self._database.writing() as connection:
            found = await _find(connection, profile, profile_id)
            if found.administrator:
                raise conflict("An administrator's profile cannot be removed")
            await _check_empty(connection, found.id)
            for shares in (NETWORK_SHARES, CONNECTOR_SHARES):
                await connection.execute(delete(shares).where(shares.c.profile_id == found.id))
            # What they held goes with the next file that anybody uploads or deletes.
            await connection.execute(delete(FILES).where(FILES.c.profile_id == found.id))
            await connection.execute(delete(PROFILES).where(PROFILES.c.id == found.id))
            await advance(connection)

    async def authenticate(self, token: str) -> ProfileEntry:
        """Give the profile that this token belongs to. Raises :class:`registry.refusal.RefusedError` (401)."""
        async with self._database.reading() as connection:
            rows = await connection.execute(_ENTRY.where(PROFILES.c.token_hash == self._sealer.index(token)))
        row = rows.one_or_none()
        if row is None:
            raise denied()
        return ProfileEntry(*row)


async def add_profile(
    connection: AsyncConnection,
    sealer: Sealer,
    name: str,
    token: SecretStr | None = None,
    *,
    administrator: bool = False,
) -> tuple[ProfileEntry, SecretStr]:
    """Create a profile; its token is given here and never again, for only its hash is kept."""
    profile = ProfileEntry(create_id(), name, administrator)
    token = token or create_profile_token()
    values = {
        "id": profile.id,
        "name": name,
        "token_hash": sealer.index(token.get_secret_value()),
        "administrator": administrator,
    }
    await connection.execute(insert(PROFILES).values(values))
    return profile, token


async def _find(connection: AsyncConnection, profile: ProfileEntry, profile_id: str) -> ProfileEntry:
    """Give a profile that this one may see and change: itself, and to an administrator any."""
    row = (await connection.execute(_ENTRY.where(PROFILES.c.id == profile_id))).one_or_none()
    if row is None or not (profile.administrator or row.id == profile.id):
        raise not_found("Profile")
    return ProfileEntry(*row)


async def _check_empty(connection: AsyncConnection, profile_id: str) -> None:
    things = await describe_references(connection, profile_id, _REFERENCES)
    if things:
        raise conflict(f"The profile has {things}; remove these first")
