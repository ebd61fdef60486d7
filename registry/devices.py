"""Devices: found by their serial, written to and read by their token."""

from cachetools import TTLCache
from pydantic import SecretStr
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from common.serial import Serial, SerialMalformedError
from registry.connectors import check_connector
from registry.database import Database
from registry.entries import DeviceEntry, NetworkEntry, NewDevice
from registry.ids import create_id
from registry.listing import EVERYTHING, Listing
from registry.networks import find_network
from registry.refusal import conflict, denied, invalid, not_found
from registry.schema import DEVICE_TOKENS, DEVICES, SERIAL_CHARACTERS
from registry.sealing import Sealer
from registry.tokens import create_device_token

_ENTRY = select(
    DEVICES.c.id, DEVICES.c.profile_id, DEVICES.c.network_id, DEVICES.c.connector_id, DEVICES.c.name, DEVICES.c.serial
)


REMEMBERED_TOKENS = 100_000

REMEMBERED_SECONDS = 60.0
"""How long a token is taken without asking the database, which would cost more than all the rest of a post."""


class Devices:
    """The devices of a registry."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer
        self._authenticated: TTLCache[bytes, DeviceEntry] = TTLCache(REMEMBERED_TOKENS, REMEMBERED_SECONDS)

    async def create(self, profile_id: str, new: NewDevice) -> tuple[DeviceEntry, SecretStr]:
        """Create a device, and give its token.

        Raises :class:`registry.refusal.RefusedError`: 404 for a network or connector that is not there, 400 for a
        connector that does not allow the network or a serial that does not have its form, 409 for a serial that is
        taken.
        """
        async with self._database.writing() as connection:
            network = await find_network(connection, profile_id, new.network)
            await check_connector(connection, profile_id, new.connector, network.id)
            serial = _check_serial(network, new.serie_number)
            device = DeviceEntry(create_id(), profile_id, network.id, new.connector, new.name, serial)
            return device, await self._add(connection, device)

    async def list_for(self, profile_id: str, listing: Listing = EVERYTHING) -> list[DeviceEntry]:
        """Give the devices of a profile."""
        query = listing.apply(_ENTRY.where(DEVICES.c.profile_id == profile_id), DEVICES)
        async with self._database.reading() as connection:
            return [DeviceEntry(*row) for row in await connection.execute(query)]

    async def authenticate(self, token: str) -> DeviceEntry:
        """Give the device that this token belongs to. Raises :class:`registry.refusal.RefusedError` (401)."""
        index = self._sealer.index(token)
        device = self._authenticated.get(index)
        if device is None:
            query = _ENTRY.join(DEVICE_TOKENS).where(DEVICE_TOKENS.c.token_index == index)
            async with self._database.reading() as connection:
                row = (await connection.execute(query)).one_or_none()
            if row is None:
                raise denied()
            device = self._authenticated[index] = DeviceEntry(*row)
        return device

    async def resolve(self, network: NetworkEntry, serial: str, profile_id: str | None) -> SecretStr:
        """Give the newest token of the device with this serial: that of the profile, or without one anybody's newest.

        Raises :class:`registry.refusal.RefusedError`: 404 for an unknown serial, 400 for one that is malformed.
        """
        query = select(DEVICE_TOKENS.c.id, DEVICE_TOKENS.c.sealed_token).join(DEVICES)
        query = query.where(DEVICES.c.network_id == network.id, DEVICES.c.serial == normalise_serial(network, serial))
        if profile_id is not None:
            query = query.where(DEVICES.c.profile_id == profile_id)
        newest = query.order_by(DEVICES.c.id.desc(), DEVICE_TOKENS.c.id.desc()).limit(1)
        async with self._database.reading() as connection:
            row = (await connection.execute(newest)).one_or_none()
        if row is None:
            raise not_found("Device")
        return self._sealer.unseal(row.sealed_token, row.id)

    async def _add(self, connection: AsyncConnection, device: DeviceEntry) -> SecretStr:
        values = {
            "id": device.id,
            "profile_id": device.profile_id,
            "network_id": device.network_id,
            "connector_id": device.connector_id,
            "name": device.name,
            "serial": device.serial,
        }
        try:
            await connection.execute(insert(DEVICES).values(values))
        except IntegrityError:  # what it refers to was found in this transaction, so it can only be the serial
            raise conflict(f"serie_number: {device.serial!r} is taken by another device of this network") from None
        token = create_device_token()
        token_id = create_id()
        await connection.execute(
            insert(DEVICE_TOKENS).values(
                id=token_id,
                device_id=device.id,
                token_index=self._sealer.index(token.get_secret_value()),
                sealed_token=self._sealer.seal(token, token_id),
            )
        )
        return token


def normalise_serial(network: NetworkEntry, serial: str) -> Serial:
    """Give the serial as the network stores it. Raises :class:`registry.refusal.RefusedError` (400) for a misfit."""
    try:
        normalised = network.serial_rule.normalise(serial)
    except SerialMalformedError as error:
        raise invalid(f"serie_number: {error}") from None
    if len(normalised) > SERIAL_CHARACTERS:
        raise invalid(f"serie_number: it has {len(normalised):,} characters; at most {SERIAL_CHARACTERS} are taken")
    return normalised


def _check_serial(network: NetworkEntry, serial: str | None) -> Serial | None:
    """Give the serial of a new device; None where it has none and its network asks for none."""
    if serial:
        return normalise_serial(network, serial)
    if network.serial_number is not None and network.serial_number.required:
        raise invalid(f"serie_number: a device of the network {network.name!r} needs one")
    return None
