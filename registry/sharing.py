"""Who may use a network or a connector: its owner, the profiles that it is shared with, and everybody if it is public.

Whoever may use one may see it and create devices with it. Only the owner changes it, shares it, or has its tokens.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Table, delete, exists, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from registry.refusal import RefusedError, invalid, not_found
from registry.schema import CONNECTOR_SHARES, CONNECTORS, NETWORK_SHARES, NETWORKS, PROFILES


@dataclass(frozen=True, slots=True)
class Sharing:
    """The rules for the rows of one table. ``what`` is what people call such a row."""

    what: str
    table: Table
    shares: Table

    def usable_by(self, profile_id: str | ColumnElement[str]) -> ColumnElement[bool]:
        """Give the condition that a row may be used by this profile."""
        shared = exists().where(self._shared_id == self.table.c.id, self.shares.c.profile_id == profile_id)
        return or_(self.table.c.profile_id == profile_id, self.table.c.public, shared)

    async def check_owner(
        self, connection: AsyncConnection, profile_id: str, row_id: str, *, lock: bool = True
    ) -> None:
        """Check that the profile may change this row, and have whoever else uses it wait until the transaction ends.

        Raises :class:`registry.refusal.RefusedError`: 404 for one that it may not even see, 403 for another's.
        """
        query = select(self.table.c.profile_id).where(self.table.c.id == row_id, self.usable_by(profile_id))
        if lock:
            query = query.with_for_update()
        owner_id = (await connection.execute(query)).scalar_one_or_none()
        if owner_id is None:
            raise not_found(self.what)
        if owner_id != profile_id:
            raise RefusedError(403, f"{self.what}: it belongs to another profile, which alone may change it")

    async def share(self, connection: AsyncConnection, row_id: str, profile_id: str) -> None:
        """Let a profile use this row. Raises :class:`registry.refusal.RefusedError` (404) for no profile."""
        if (await connection.execute(select(PROFILES.c.id).where(PROFILES.c.id == profile_id))).first() is None:
            raise not_found("Profile")
        await self.withdraw(connection, row_id, profile_id)  # sharing twice is no mistake
        await connection.execute(insert(self.shares).values({self._shared_id: row_id, "profile_id": profile_id}))

    async def withdraw(self, connection: AsyncConnection, row_id: str, profile_id: str) -> bool:
        """End a share; give whether there was one."""
        share = delete(self.shares).where(self._shared_id == row_id, self.shares.c.profile_id == profile_id)
        return bool((await connection.execute(share)).rowcount)

    async def list_profiles(self, connection: AsyncConnection, row_id: str) -> list[dict[str, str]]:
        """Give the profiles that this row is shared with, by name."""
        query = select(PROFILES.c.id, PROFILES.c.name).join(self.shares).where(self._shared_id == row_id)
        rows = await connection.execute(query.order_by(PROFILES.c.name, PROFILES.c.id))
        return [{"id": row.id, "name": row.name} for row in rows]

    async def forget(self, connection: AsyncConnection, row_id: str) -> None:
        """End every share of a row that is about to go."""
        await connection.execute(delete(self.shares).where(self._shared_id == row_id))

    @property
    def _shared_id(self) -> ColumnElement[Any]:
        column: ColumnElement[Any] = self.shares.c[f"{self.what.lower()}_id"]
        return column


NETWORK_SHARING = Sharing("Network", NETWORKS, NETWORK_SHARES)
CONNECTOR_SHARING = Sharing("Connector", CONNECTORS, CONNECTOR_SHARES)


def check_public(*, public: bool, administrator: bool) -> None:
    """Check who makes a thing public. Raises :class:`registry.refusal.RefusedError` (403)."""
    if public and not administrator:
        raise RefusedError(403, "public: only an administrator's profile may make this public; share it instead")


def check_not_own(profile_id: str, other_id: str) -> None:
    """Check that somebody shares with another. Raises :class:`registry.refusal.RefusedError` (400)."""
    if profile_id == other_id:
        raise invalid("profile: this is the owner's own; name the profile that it is to be shared with")
