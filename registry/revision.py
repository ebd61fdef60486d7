"""The revision of the directory: an id that is new whenever a network, a network token, a key or a share has changed.

Whoever changes one of them calls :func:`advance` in the same transaction, so that no reader can see the change under
the old revision. A reader asks for the revision first and for the directory afterwards: what changes in between is
then read too early, under the old revision, and read again at the next look.

It is a random id and not a count: a database that was restored from a copy never comes to a revision a second time,
and ``"{revision}"`` serves as an ETag.

The devices have one of their own, in the same row: it is new whenever a token has ended, or a device is another for
those who post. It is no part of the directory, which would be written anew for each device that is removed.
"""

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from registry.ids import create_id
from registry.schema import DIRECTORY_REVISION


async def advance(connection: AsyncConnection) -> None:
    """Note that the directory changes with this transaction."""
    await connection.execute(update(DIRECTORY_REVISION).values(revision=create_id()))


async def read_revision(connection: AsyncConnection) -> str:
    """Give the present revision: one row by its key, cheap enough to be asked for every second."""
    revision: str = (await connection.execute(select(DIRECTORY_REVISION.c.revision))).scalar_one()
    return revision


async def advance_devices(connection: AsyncConnection) -> None:
    """Note that with this transaction what is remembered of devices and their tokens may hold no longer."""
    await connection.execute(update(DIRECTORY_REVISION).values(devices=create_id()))


async def read_device_revision(connection: AsyncConnection) -> str:
    """Give the present revision of the devices, as cheaply."""
    revision: str = (await connection.execute(select(DIRECTORY_REVISION.c.devices))).scalar_one()
    return revision
