"""The way of a post into the database, whichever route it came by: decode and check, store."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from registry.data_writer import DataWriter, DevicePost
from registry.decoding import Decode, Payload, pass_through
from registry.entries import DeviceEntry
from registry.parser_presence import ParserPresence
from registry.refusal import RefusedError
from registry.sightings import Sightings


class Intake:
    """Takes posts. ``decode`` is for devices that have a parser."""

    def __init__(self, writer: DataWriter, sightings: Sightings, presence: ParserPresence, decode: Decode) -> None:
        self._writer = writer
        self._sightings = sightings
        self._presence = presence
        self._decode = decode

    async def take(self, device: DeviceEntry, payload: Payload, uplink_ids: Sequence[str] = ()) -> int:
        """Return when the post is durably stored, with the number of records: 0 when it had been stored before.

        Raises what :meth:`prepare` raises, and what comes of :meth:`store`.
        """
        return await self.store(await self.prepare(device, payload, uplink_ids))

    async def prepare(self, device: DeviceEntry, payload: Payload, uplink_ids: Sequence[str]) -> DevicePost:
        """Make of a payload what can be stored.

        Raises :class:`registry.refusal.RefusedError`: 403 for a device that is not active, 400 for what is no record or
        breaks a limit.
        """
        if not device.active:
            raise RefusedError(403, "The device is not active")
        decode = self._decode if await self._presence.concerns(device) else pass_through
        return DevicePost(device.id, await decode(device, payload, uplink_ids), uplink_ids)

    def store(self, post: DevicePost) -> asyncio.Future[int]:
        """Have it stored, together with what else waits, as :meth:`registry.data_writer.DataWriter.store` says."""
        stored = self._writer.store(post)
        stored.add_done_callback(lambda _: self._note_input(post.device_id, stored))
        return stored

    def _note_input(self, device_id: str, stored: asyncio.Future[int]) -> None:
        if not stored.cancelled() and stored.exception() is None:
            self._sightings.note("last_input", device_id, datetime.now(UTC))
