"""The registry's ``decode``: what a device posts goes through the parsers of its network, its connector and itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from cachetools import TTLCache
from sqlalchemy import select

from common.events.engine import NO_EVENTS, Events
from common.reason import Reason
from registry.database import Database
from registry.decoding import Payload, pass_through
from registry.device_params import list_params
from registry.entries import DeviceEntry
from registry.parsers.console_events import tell_console
from registry.parsers.model import Parser, ParserFailed, ParserKind
from registry.parsers.pool import ParserPool
from registry.parsers.run_queue import ParsersBusyError, ParsersUnavailableError
from registry.parsers.stored import read_parser
from registry.records import ValidRecord, check_records
from registry.refusal import RefusedError, unavailable
from registry.schema import CONNECTORS, DEVICES, NETWORKS

REMEMBERED_DEVICES = 20_000

REMEMBERED_SECONDS = 5.0
"""How long the parsers of a device are taken without asking the database.

So long may a parser that was changed go on; one that fails is read again first, so that it can be mended at once.
"""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _DeviceParsers:
    """The parsers of a device, and what they see of it."""

    parsers: Sequence[Parser]
    device: Mapping[str, Any]


class ParserDecoder:
    """Makes records of what devices post; :class:`registry.decoding.Decode` says how it is called."""

    def __init__(self, database: Database, pool: ParserPool, events: Events = NO_EVENTS) -> None:
        self._database = database
        self._pool = pool
        self._events = events
        self._remembered: TTLCache[str, _DeviceParsers] = TTLCache(REMEMBERED_DEVICES, REMEMBERED_SECONDS)

    async def __call__(
        self, device: DeviceEntry, payload: Payload, uplink_ids: Sequence[str] = ()
    ) -> list[ValidRecord]:
        """Run the device's parsers, if it has any, and check their records. An empty result is one.

        Raises :class:`registry.refusal.RefusedError`: 400 with the reason ``parser_failed``, 429 while too much of the
        device's profile waits, 503 while no parser can be run, and what posting without a parser raises.
        """
        remembered = self._remembered.get(device.id)
        found = remembered or await self._find(device.id)
        if not found.parsers:
            return await pass_through(device, payload)
        try:
            return await self._run(device, found, payload, uplink_ids)
        except _FailedError as error:
            if remembered is None or (fresh := await self._find(device.id)) == remembered:
                raise _refuse(error.failed) from None
        if not fresh.parsers:
            return await pass_through(device, payload)
        try:
            return await self._run(device, fresh, payload, uplink_ids)
        except _FailedError as error:
            raise _refuse(error.failed) from None

    async def _run(
        self, device: DeviceEntry, found: _DeviceParsers, payload: Payload, uplink_ids: Sequence[str]
    ) -> list[ValidRecord]:
        try:
            outcome = await self._pool.run(
                found.parsers, payload, raw_payload=payload, device=found.device, profile=device.profile_id
            )
        except ParsersBusyError as error:
            # The text as well: what is said to one of many posts has no headers.
            raise RefusedError(429, f"{error} (Retry-After: 1)", {"Retry-After": "1"}) from None
        except ParsersUnavailableError as error:
            raise unavailable(str(error)) from None
        for line in outcome.console:
            log.debug(
                "parser.said", device=found.device["id"], parser=line.kind, level_of_line=line.level, text=line.text
            )
        tell_console(self._events, device, uplink_ids, outcome.console)
        if isinstance(outcome, ParserFailed):
            raise _FailedError(outcome)
        try:
            return check_records(outcome.records) if outcome.records else []
        except RefusedError as error:
            raise _FailedError(ParserFailed(found.parsers[-1].kind, error.message)) from None

    async def _find(self, device_id: str) -> _DeviceParsers:
        query = (
            select(NETWORKS.c.payload_decoder, CONNECTORS.c.payload_decoder, DEVICES.c.payload_decoder, DEVICES.c.tags)
            .select_from(DEVICES.join(NETWORKS).join(CONNECTORS))
            .where(DEVICES.c.id == device_id)
        )
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).one_or_none()
            *texts, tags = row or (None, None, None, None)
            parsers = [read_parser(kind, text) for kind, text in zip(ParserKind, texts, strict=True) if text]
            params = await list_params(connection, device_id) if parsers else []
        described = {"id": device_id, "tags": tags or [], "params": params}
        found = self._remembered[device_id] = _DeviceParsers(parsers, described)
        return found


class _FailedError(Exception):
    def __init__(self, failed: ParserFailed) -> None:
        super().__init__(str(failed))
        self.failed = failed


def _refuse(failed: ParserFailed) -> RefusedError:
    return RefusedError(400, str(failed), reason=Reason.PARSER_FAILED)
