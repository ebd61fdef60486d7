"""When each device was last resolved and last sent: noted in memory, and written down every few seconds.

A write for each post would cost as much as the post. What was noted since the last writing is lost in a crash, and
another process of the same registry sees it only afterwards.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Literal, TypeAlias

from sqlalchemy import bindparam, update

from registry.database import Database
from registry.schema import DEVICES

WRITING_INTERVAL_SECONDS = 10.0

MOST_AT_ONCE = 500
"""Devices of one transaction, so that no post waits long for it."""

Occasion: TypeAlias = Literal["last_input", "last_authorization"]


class Sightings:
    """What was noted and is not yet written down."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._noted: dict[Occasion, dict[str, datetime]] = {"last_input": {}, "last_authorization": {}}

    def note(self, occasion: Occasion, device_id: str, now: datetime) -> None:
        """Note that a device was seen."""
        self._noted[occasion][device_id] = now

    def newest(self, occasion: Occasion, device_id: str, written: datetime | None) -> datetime | None:
        """Give the moment that was noted, else the one that is written down."""
        return self._noted[occasion].get(device_id, written)

    async def write(self) -> None:
        """Write down what was noted; raises what the database raises, and keeps what it could not write."""
        for occasion, noted in self._noted.items():
            for devices in _split(dict(noted)):
                await self._write(occasion, devices)
                for device_id, moment in devices.items():
                    if noted.get(device_id) == moment:
                        del noted[device_id]

    async def _write(self, occasion: Occasion, devices: Mapping[str, datetime]) -> None:
        statement = update(DEVICES).where(DEVICES.c.id == bindparam("device")).values({occasion: bindparam("moment")})
        # In one order, so that two processes do not wait for each other.
        rows = [{"device": device_id, "moment": moment} for device_id, moment in sorted(devices.items())]
        async with self._database.writing() as connection:
            await connection.execute(statement, rows)


def _split(devices: Mapping[str, datetime]) -> Iterator[dict[str, datetime]]:
    items = list(devices.items())
    for start in range(0, len(items), MOST_AT_ONCE):
        yield dict(items[start : start + MOST_AT_ONCE])
