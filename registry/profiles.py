"""Profiles: whose everything is."""

from pydantic import SecretStr
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from registry.database import Database
from registry.entries import ProfileEntry
from registry.ids import create_id
from registry.refusal import denied
from registry.schema import PROFILES
from registry.sealing import Sealer
from registry.tokens import create_profile_token

_ENTRY = select(PROFILES.c.id, PROFILES.c.name)


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

    async def authenticate(self, token: str) -> ProfileEntry:
        """Give the profile that this token belongs to. Raises :class:`registry.refusal.RefusedError` (401)."""
        async with self._database.reading() as connection:
            rows = await connection.execute(_ENTRY.where(PROFILES.c.token_hash == self._sealer.index(token)))
        row = rows.one_or_none()
        if row is None:
            raise denied()
        return ProfileEntry(*row)


async def add_profile(connection: AsyncConnection, sealer: Sealer, name: str) -> tuple[ProfileEntry, SecretStr]:
    """Create a profile; its token is given here and never again, for only its hash is kept."""
    profile = ProfileEntry(create_id(), name)
    token = create_profile_token()
    values = {"id": profile.id, "name": name, "token_hash": sealer.index(token.get_secret_value())}
    await connection.execute(insert(PROFILES).values(values))
    return profile, token
