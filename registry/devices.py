"""Devices: found by their serial, written to and read by their token."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr
from sqlalchemy import ColumnElement, Row, delete, insert, or_, select, true, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from common import metrics
from common.serial import Serial, SerialMalformedError
from registry.connectors import check_connector
from registry.data_remover import DataRemover
from registry.database import Database
from registry.device_params import add_params, put_params
from registry.entries import DeviceChanges, DeviceEntry, NetworkEntry, NewDevice, NewDeviceToken, TokenEntry
from registry.form import Permission
from registry.ids import create_id
from registry.known_devices import ENTRY, KnownDevices
from registry.listing import EVERYTHING, Listing
from registry.networks import find_network
from registry.parsers.check import ParserCheck
from registry.parsers.model import ParserKind
from registry.refusal import conflict, denied, invalid, not_found
from registry.revision import advance_devices
from registry.rows import read_details
from registry.schema import DEVICE_PARAMS, DEVICE_TOKENS, DEVICES, NETWORK_SHARES, RECORDS, SERIAL_CHARACTERS
from registry.sealing import Sealer
from registry.sightings import Sightings
from registry.tokens import create_device_token

_DETAILS = (
    DEVICES.c.description,
    DEVICES.c.visible,
    DEVICES.c.tags,
    DEVICES.c.updated_at,
    DEVICES.c.last_input,
    DEVICES.c.last_authorization,
)

_OWN_NAMES = {"network": "network_id", "connector": "connector_id", "serie_number": "serial"}
"""Columns that TagoIO calls by another name."""

FIRST_TOKEN = "Default"  # noqa: S105 - a name
"""The name of the token that a device is created with."""

_SEEN_BY_POSTS = frozenset({"active", "network_id", "connector_id", "serial", "payload_decoder"})
"""Columns that decide what becomes of a post; the name of a known device may be an older one."""


class Devices:
    """The devices of a registry."""

    def __init__(self, database: Database, sealer: Sealer, sightings: Sightings, parsers: ParserCheck) -> None:
        self._database = database
        self._sealer = sealer
        self._sightings = sightings
        self._parsers = parsers
        self._known = KnownDevices(database)

    async def create(self, profile_id: str, new: NewDevice) -> tuple[DeviceEntry, SecretStr]:
        """Create a device, and give its token.

        Raises :class:`registry.refusal.RefusedError`: 404 for a network or connector that is not there, 400 for a
        connector that does not allow the network, a serial that does not have its form, a param that is not taken or
        a parser that cannot be run, 409 for a serial that is taken.
        """
        await self._parsers.check(ParserKind.DEVICE, new, profile_id)
        async with self._database.writing() as connection:
            network = await find_network(connection, profile_id, new.network)
            await check_connector(connection, profile_id, new.connector, network.id)
            serial = _check_serial(network, new.serie_number)
            device = DeviceEntry(
                create_id(), profile_id, network.id, new.connector, new.name, serial, active=new.active
            )
            values = {**_name_columns(new), "id": device.id, "profile_id": profile_id, "serial": serial}
            try:
                await connection.execute(insert(DEVICES).values(values))
            except IntegrityError:  # network and connector stay until this transaction ends: it can only be the serial
                raise _taken(serial) from None
            await add_params(connection, device.id, new.configuration_params)
            return device, (await self._add_token(connection, device.id, FIRST_TOKEN, "full")).token

    async def list_for(self, profile_id: str, listing: Listing = EVERYTHING) -> list[DeviceEntry]:
        """Give the devices of a profile; with their parsers only where the listing names that field."""
        columns = _list_columns(with_parser="payload_decoder" in listing.fields)
        query = listing.apply(select(*columns).where(DEVICES.c.profile_id == profile_id), DEVICES)
        async with self._database.reading() as connection:
            return [self._read_entry(row) for row in await connection.execute(query)]

    async def describe(self, profile_id: str, device_id: str) -> DeviceEntry:
        """Give a device of this profile, with its parser. Raises RefusedError (404)."""
        async with self._database.reading() as connection:
            return await self._find(connection, profile_id, device_id)

    async def change(self, profile_id: str, device_id: str, changes: DeviceChanges) -> None:
        """Change a device of this profile. Raises :class:`registry.refusal.RefusedError`: 404, and as creating one."""
        await self._parsers.check(ParserKind.DEVICE, changes, profile_id)
        values = {**_name_columns(changes), "updated_at": datetime.now(UTC)}
        async with self._database.writing() as connection:
            device = await self._find(connection, profile_id, device_id, lock=True)
            # What stays as it is need not be possible any more: a share may have ended, a rule may be another.
            stored = {**asdict(device), **device.details}
            values = {name: value for name, value in values.items() if value != stored[name]}
            if not values.keys().isdisjoint(_OWN_NAMES.values()):
                values |= await _check_place(connection, device, values)
            try:
                await connection.execute(update(DEVICES).where(DEVICES.c.id == device_id).values(values))
            except IntegrityError:
                raise _taken(values.get("serial")) from None
            if changes.configuration_params:
                await put_params(connection, device_id, changes.configuration_params)
            if not _SEEN_BY_POSTS.isdisjoint(values):
                await advance_devices(connection)
        self._known.forget()

    async def remove(self, profile_id: str, device_id: str) -> None:
        """Remove a device of this profile with its tokens, its params and its data. Raises RefusedError (404).

        Its tokens go first, and then its data bit by bit, so that nobody waits long. When the registry dies in
        between, what is left of the device is removed by removing it again. Another registry may know a token for a
        while, so that a few records may have come meanwhile; whoever posts at the very end waits, and is denied.
        """
        async with self._database.writing() as connection:
            await self._find(connection, profile_id, device_id, lock=True)
            await connection.execute(delete(DEVICE_TOKENS).where(DEVICE_TOKENS.c.device_id == device_id))
            await advance_devices(connection)
        self._known.forget()
        await DataRemover(self._database).remove_all(device_id)
        async with self._database.writing() as connection:
            await connection.execute(select(DEVICES.c.id).where(DEVICES.c.id == device_id).with_for_update())
            for table in (RECORDS, DEVICE_TOKENS, DEVICE_PARAMS):
                await connection.execute(delete(table).where(table.c.device_id == device_id))
            await connection.execute(delete(DEVICES).where(DEVICES.c.id == device_id))
            await advance_devices(connection)
        self._known.forget()

    # Tokens

    async def authenticate(self, token: str, *, to: Permission | None = None) -> DeviceEntry:
        """Give the device that this token belongs to.

        Raises :class:`registry.refusal.RefusedError`: 401 for a token that is unknown or may not do this.
        """
        device = (await self.authenticate_all([token], to=to)).get(token)
        if device is None:
            raise denied()
        return device

    async def authenticate_all(
        self, tokens: Iterable[str], *, to: Permission | None = None
    ) -> Mapping[str, DeviceEntry]:
        """Give the devices that these tokens belong to; a token that is unknown or may not do this is left out."""
        indexes = {self._sealer.index(token): token for token in tokens}
        return {
            indexes[index]: device
            for index, (device, permission) in (await self._known.find(indexes.keys())).items()
            if to is None or permission in {to, "full"}
        }

    async def resolve(self, network: NetworkEntry, serial: str, profile_id: str | None) -> SecretStr:
        """Give the newest token of the device with this serial: that of the profile, or without one anybody's newest.

        Raises :class:`registry.refusal.RefusedError`: 404 for an unknown serial, 400 for one that is malformed.
        """
        query = (
            select(DEVICE_TOKENS.c.id, DEVICE_TOKENS.c.sealed_token, DEVICE_TOKENS.c.device_id)
            .join(DEVICES)
            .where(DEVICES.c.network_id == network.id, DEVICES.c.serial == normalise_serial(network, serial))
            .where(DEVICE_TOKENS.c.permission != "read", _may_use(network))
        )
        if profile_id is not None:
            query = query.where(DEVICES.c.profile_id == profile_id)
        newest = query.order_by(DEVICES.c.id.desc(), DEVICE_TOKENS.c.id.desc()).limit(1)
        async with self._database.reading() as connection:
            row = (await connection.execute(newest)).one_or_none()
        if row is None:
            raise not_found("Device")
        metrics.SERIALS_RESOLVED.inc()
        self._sightings.note("last_authorization", row.device_id, datetime.now(UTC))
        return self._sealer.unseal(row.sealed_token, row.id)

    async def add_token(self, profile_id: str, new: NewDeviceToken) -> TokenEntry:
        """Give a device of this profile a further token. Raises RefusedError (404)."""
        async with self._database.writing() as connection:
            await self._find(connection, profile_id, new.device, lock=True)
            return await self._add_token(connection, new.device, new.name, new.permission)

    async def list_tokens(self, profile_id: str, device_id: str, listing: Listing = EVERYTHING) -> list[TokenEntry]:
        """Give the tokens of a device of this profile. Raises RefusedError (404)."""
        query = listing.apply(select(DEVICE_TOKENS).where(DEVICE_TOKENS.c.device_id == device_id), DEVICE_TOKENS)
        async with self._database.reading() as connection:
            await self._find(connection, profile_id, device_id)
            return [
                TokenEntry(row.id, row.name, row.permission, self._sealer.unseal(row.sealed_token, row.id))
                for row in await connection.execute(query)
            ]

    async def remove_token(self, profile_id: str, token: str) -> None:
        """Remove a token of a device of this profile. Raises RefusedError (404)."""
        owned = select(DEVICES.c.id).where(DEVICES.c.profile_id == profile_id)
        found = DEVICE_TOKENS.c.token_index == self._sealer.index(token), DEVICE_TOKENS.c.device_id.in_(owned)
        async with self._database.writing() as connection:
            if not (await connection.execute(delete(DEVICE_TOKENS).where(*found))).rowcount:
                raise not_found("Token")
            await advance_devices(connection)
        self._known.forget()

    async def _add_token(
        self, connection: AsyncConnection, device_id: str, name: str, permission: Permission
    ) -> TokenEntry:
        token = TokenEntry(create_id(), name, permission, create_device_token())
        await connection.execute(
            insert(DEVICE_TOKENS).values(
                id=token.id,
                device_id=device_id,
                name=name,
                permission=permission,
                **self._sealer.columns(token.token, token.id),
            )
        )
        return token

    async def _find(
        self, connection: AsyncConnection, profile_id: str, device_id: str, *, lock: bool = False
    ) -> DeviceEntry:
        query = select(*_list_columns(with_parser=True))
        query = query.where(DEVICES.c.id == device_id, DEVICES.c.profile_id == profile_id)
        if lock:
            query = query.with_for_update()
        row = (await connection.execute(query)).one_or_none()
        if row is None:
            raise not_found("Device")
        return self._read_entry(row)

    def _read_entry(self, row: Row[*tuple[Any, ...]]) -> DeviceEntry:
        details = read_details(row, ENTRY)
        details["last_input"] = self._sightings.newest("last_input", row.id, row.last_input)
        details["last_authorization"] = self._sightings.newest("last_authorization", row.id, row.last_authorization)
        return replace(DeviceEntry(*row[: len(ENTRY)]), details=details)


def normalise_serial(network: NetworkEntry, serial: str) -> Serial:
    """Give the serial as the network stores it. Raises :class:`registry.refusal.RefusedError` (400) for a misfit."""
    try:
        normalised = network.serial_rule.normalise(serial)
    except SerialMalformedError as error:
        raise invalid(f"serie_number: {error}") from None
    if len(normalised) > SERIAL_CHARACTERS:
        raise invalid(f"serie_number: it has {len(normalised):,} characters; at most {SERIAL_CHARACTERS} are taken")
    if "\0" in normalised:
        raise invalid("serie_number: a NUL character cannot be stored")
    return normalised


def _check_serial(network: NetworkEntry, serial: str | None) -> Serial | None:
    """Give the serial of a new device; None where it has none and its network asks for none."""
    if serial:
        return normalise_serial(network, serial)
    if network.serial_number is not None and network.serial_number.required:
        raise invalid(f"serie_number: a device of the network {network.name!r} needs one")
    return None


async def _check_place(connection: AsyncConnection, device: DeviceEntry, values: dict[str, Any]) -> dict[str, Any]:
    """Check a device that gets another network, connector or serial; give its serial as the network stores it."""
    network = await find_network(connection, device.profile_id, values.get("network_id", device.network_id))
    connector_id = values.get("connector_id", device.connector_id)
    await check_connector(connection, device.profile_id, connector_id, network.id)
    return {"serial": _check_serial(network, values.get("serial", device.serial))}


def _name_columns(form: NewDevice) -> dict[str, Any]:
    """Give the values of a form by the names of the columns."""
    values = {_OWN_NAMES.get(name, name): value for name, value in form.given.items()}
    values.pop("type", None)
    values.pop("configuration_params", None)
    return values


def _may_use(network: NetworkEntry) -> ColumnElement[bool]:
    """Give the condition that a device's profile may use the network: a share may have been withdrawn."""
    shared = select(NETWORK_SHARES.c.profile_id).where(
        NETWORK_SHARES.c.network_id == network.id, NETWORK_SHARES.c.profile_id == DEVICES.c.profile_id
    )
    if network.public:
        return true()
    return or_(DEVICES.c.profile_id == network.profile_id, shared.exists())


def _taken(serial: str | None) -> Exception:
    return conflict(f"serie_number: {serial!r} is taken by another device of this network")


def _list_columns(*, with_parser: bool) -> Sequence[ColumnElement[Any]]:
    return (*ENTRY, *_DETAILS, DEVICES.c.payload_decoder) if with_parser else (*ENTRY, *_DETAILS)
