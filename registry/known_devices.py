"""Which device a token belongs to: remembered, for asking would cost more than all the rest of a post.

What is remembered holds for one revision of the devices. Every registry on a database asks for the revision once in a
while, and begins anew when it is another: so a token that was removed at one of them ends at the others as well.
"""

from collections.abc import Set as AbstractSet
from typing import TypeAlias

from cachetools import LRUCache
from sqlalchemy import select

from registry.database import Database
from registry.entries import DeviceEntry
from registry.form import Permission
from registry.remembered import Remembered
from registry.revision import read_device_revision
from registry.schema import DEVICE_TOKENS, DEVICES

KNOWN_TOKENS = 100_000

REVISION_SECONDS = 2.0
"""How long what another registry on the same database has changed may be passed by."""

ENTRY = (
    DEVICES.c.id,
    DEVICES.c.profile_id,
    DEVICES.c.network_id,
    DEVICES.c.connector_id,
    DEVICES.c.name,
    DEVICES.c.serial,
    DEVICES.c.active,
    DEVICES.c.payload_decoder.is_not(None).label("own_parser"),
)
"""The columns of a :class:`registry.entries.DeviceEntry`, in its order."""

_QUERY = select(*ENTRY, DEVICE_TOKENS.c.permission, DEVICE_TOKENS.c.token_index).join(DEVICE_TOKENS)

KnownDevice: TypeAlias = tuple[DeviceEntry, Permission]
"""The device that a token belongs to, and what the token may be used for."""


class KnownDevices:
    """Devices by the indexes of their tokens."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._revision = Remembered(self._read_revision, REVISION_SECONDS)
        self._known: LRUCache[bytes, KnownDevice] = LRUCache(KNOWN_TOKENS)
        self._known_at = ""
        """The revision that the known devices were read at, or a later one."""

    async def find(self, indexes: AbstractSet[bytes]) -> dict[bytes, KnownDevice]:
        """Give the devices of these tokens, as far as there are such: one query for all that are not known.

        Raises what the database raises.
        """
        revision = await self._revision.get()
        if revision != self._known_at:
            self._known.clear()
            self._known_at = revision
        found = {index: known for index in indexes if (known := self._known.get(index))}
        if len(found) < len(indexes):
            read = await self._read(indexes - found.keys())
            if revision == self._known_at:  # else it may have been read before what has changed since
                self._known.update(read)
            found |= read
        return found

    def forget(self) -> None:
        """Have the next use ask for the revision: this process has changed it."""
        self._revision.forget()

    async def _read(self, indexes: AbstractSet[bytes]) -> dict[bytes, KnownDevice]:
        async with self._database.reading() as connection:
            rows = (await connection.execute(_QUERY.where(DEVICE_TOKENS.c.token_index.in_(indexes)))).all()
        return {row.token_index: (DeviceEntry(*row[: len(ENTRY)]), row.permission) for row in rows}

    async def _read_revision(self) -> str:
        async with self._database.reading() as connection:
            return await read_device_revision(connection)
