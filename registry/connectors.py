"""Connectors: what a device is, and the networks by which it may come."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, Row, Select, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from registry.database import Database
from registry.entries import ConnectorChanges, ConnectorEntry, NewConnector, ProfileEntry
from registry.ids import create_id
from registry.listing import EVERYTHING, Listing
from registry.networks import find_network
from registry.parser_presence import ParserPresence
from registry.parsers.check import ParserCheck
from registry.parsers.model import ParserKind
from registry.refusal import conflict, invalid, not_found
from registry.rows import describe_references, read_details
from registry.schema import CONNECTOR_NETWORKS, CONNECTORS, DEVICES, NETWORKS
from registry.sharing import CONNECTOR_SHARING, NETWORK_SHARING, check_not_own, check_public

_ENTRY = (CONNECTORS.c.id, CONNECTORS.c.profile_id, CONNECTORS.c.name)

_DETAILS = (
    CONNECTORS.c.description,
    CONNECTORS.c.logo_url,
    CONNECTORS.c.install_text,
    CONNECTORS.c.install_end_text,
    CONNECTORS.c.device_annotation,
    CONNECTORS.c.device_parameters,
    CONNECTORS.c.public,
    CONNECTORS.c.updated_at,
)


class Connectors:
    """The connectors of a registry."""

    def __init__(self, database: Database, presence: ParserPresence, parsers: ParserCheck) -> None:
        self._database = database
        self._presence = presence
        self._parsers = parsers

    async def create(self, profile_id: str, new: NewConnector, *, administrator: bool = False) -> ConnectorEntry:
        """Create a connector.

        Raises :class:`registry.refusal.RefusedError`: 404 for a network that is not there, 403 for a public one, 400
        for a parser that cannot be run.
        """
        check_public(public=new.public, administrator=administrator)
        await self._parsers.check(ParserKind.CONNECTOR, new, profile_id)
        async with self._database.writing() as connection:
            connector = await add_connector(connection, profile_id, new)
            await _check_reach(connection, connector.id)
        self._presence.forget()
        return connector

    async def list_for(self, profile_id: str, listing: Listing = EVERYTHING) -> list[ConnectorEntry]:
        """Give the connectors that a profile may use; with their parsers only where the listing names that field."""
        columns = _list_columns(with_parser="payload_decoder" in listing.fields)
        page = listing.apply(select(*columns).where(CONNECTOR_SHARING.usable_by(profile_id)), CONNECTORS)
        async with self._database.reading() as connection:
            return await _read_entries(connection, page)

    async def describe(self, profile_id: str, connector_id: str) -> ConnectorEntry:
        """Give a connector that this profile may use, with its parser. Raises RefusedError (404)."""
        usable = CONNECTORS.c.id == connector_id, CONNECTOR_SHARING.usable_by(profile_id)
        async with self._database.reading() as connection:
            entries = await _read_entries(connection, select(*_list_columns(with_parser=True)).where(*usable))
        if not entries:
            raise not_found("Connector")
        return entries[0]

    async def change(self, profile: ProfileEntry, connector_id: str, changes: ConnectorChanges) -> None:
        """Change a connector of this profile.

        Raises :class:`registry.refusal.RefusedError`: as creating one, and 409 for a network that is left out while
        devices of this connector are in it.
        """
        check_public(public=changes.public, administrator=profile.administrator)
        await self._parsers.check(ParserKind.CONNECTOR, changes, profile.id)
        values = {**changes.given, "updated_at": datetime.now(UTC)}
        networks = values.pop("networks", None)
        async with self._database.writing() as connection:
            await CONNECTOR_SHARING.check_owner(connection, profile.id, connector_id)
            if networks is not None:
                await _change_networks(connection, profile.id, connector_id, networks)
            await connection.execute(update(CONNECTORS).where(CONNECTORS.c.id == connector_id).values(values))
            await _check_reach(connection, connector_id)
        self._presence.forget()

    async def remove(self, profile_id: str, connector_id: str) -> None:
        """Remove a connector that no device has. Raises :class:`registry.refusal.RefusedError` (404, 403, 409)."""
        async with self._database.writing() as connection:
            await CONNECTOR_SHARING.check_owner(connection, profile_id, connector_id)
            users = await describe_references(connection, connector_id, {"devices": DEVICES.c.connector_id})
            if users:
                raise conflict(f"The connector is in use by {users}; remove these first")
            await connection.execute(
                delete(CONNECTOR_NETWORKS).where(CONNECTOR_NETWORKS.c.connector_id == connector_id)
            )
            await CONNECTOR_SHARING.forget(connection, connector_id)
            await connection.execute(delete(CONNECTORS).where(CONNECTORS.c.id == connector_id))

    # Shares

    async def share(self, profile_id: str, connector_id: str, other_id: str) -> None:
        """Let another profile use a connector of this one, if it may use one of its networks.

        Raises :class:`registry.refusal.RefusedError` (404, 403, 400).
        """
        check_not_own(profile_id, other_id)
        networks = select(CONNECTOR_NETWORKS.c.network_id).where(CONNECTOR_NETWORKS.c.connector_id == connector_id)
        within_reach = select(NETWORKS.c.id).where(NETWORKS.c.id.in_(networks), NETWORK_SHARING.usable_by(other_id))
        async with self._database.writing() as connection:
            await CONNECTOR_SHARING.check_owner(connection, profile_id, connector_id)
            await CONNECTOR_SHARING.share(connection, connector_id, other_id)
            if (await connection.execute(within_reach.limit(1))).first() is None:
                raise invalid("profile: it may use none of this connector's networks; share one of them first")

    async def withdraw(self, profile_id: str, connector_id: str, other_id: str) -> None:
        """End a share: the other profile creates no more devices with it. Raises RefusedError (404, 403)."""
        async with self._database.writing() as connection:
            await CONNECTOR_SHARING.check_owner(connection, profile_id, connector_id)
            if not await CONNECTOR_SHARING.withdraw(connection, connector_id, other_id):
                raise not_found("Share")

    async def list_shares(self, profile_id: str, connector_id: str) -> list[dict[str, str]]:
        """Give the profiles that may use a connector of this one. Raises RefusedError (404, 403)."""
        async with self._database.reading() as connection:
            await CONNECTOR_SHARING.check_owner(connection, profile_id, connector_id, lock=False)
            return await CONNECTOR_SHARING.list_profiles(connection, connector_id)


async def add_connector(connection: AsyncConnection, profile_id: str, new: NewConnector) -> ConnectorEntry:
    """Create a connector for networks that the profile may use."""
    networks = tuple(dict.fromkeys(new.networks))
    connector = ConnectorEntry(create_id(), profile_id, new.name, networks)
    values = {**new.given, "id": connector.id, "profile_id": profile_id}
    del values["networks"]
    await connection.execute(insert(CONNECTORS).values(values))
    await _allow_networks(connection, profile_id, connector.id, networks)
    return connector


async def check_connector(connection: AsyncConnection, profile_id: str, connector_id: str, network_id: str) -> None:
    """Check that this profile may use the connector with this network; its owner waits until the transaction ends.

    Raises :class:`registry.refusal.RefusedError` (404, 400).
    """
    usable = select(CONNECTORS.c.id).where(CONNECTORS.c.id == connector_id, CONNECTOR_SHARING.usable_by(profile_id))
    if (await connection.execute(usable.with_for_update(read=True, key_share=True))).first() is None:
        raise not_found("Connector")
    # A statement of its own, which sees what the owner has changed while the first one waited.
    allowed = select(CONNECTOR_NETWORKS.c.network_id).where(CONNECTOR_NETWORKS.c.connector_id == connector_id)
    if network_id not in (await connection.execute(allowed)).scalars().all():
        raise invalid("connector: it does not allow this network; take one that does, or add the network to it")


async def _allow_networks(
    connection: AsyncConnection, profile_id: str, connector_id: str, networks: Iterable[str]
) -> None:
    for network_id in networks:
        await find_network(connection, profile_id, network_id)
    allowed = [{"connector_id": connector_id, "network_id": network_id} for network_id in networks]
    await connection.execute(insert(CONNECTOR_NETWORKS), allowed)


async def _change_networks(
    connection: AsyncConnection, profile_id: str, connector_id: str, networks: Sequence[str]
) -> None:
    left_out = select(func.count()).where(DEVICES.c.connector_id == connector_id, DEVICES.c.network_id.not_in(networks))
    devices = (await connection.execute(left_out)).scalar_one()
    if devices:
        raise conflict(f"networks: {devices:,} devices of this connector are in a network that is left out")
    await connection.execute(delete(CONNECTOR_NETWORKS).where(CONNECTOR_NETWORKS.c.connector_id == connector_id))
    await _allow_networks(connection, profile_id, connector_id, dict.fromkeys(networks))


async def _check_reach(connection: AsyncConnection, connector_id: str) -> None:
    """Raise :class:`registry.refusal.RefusedError` (400) for a connector that is public and its networks are not."""
    networks = select(CONNECTOR_NETWORKS.c.network_id).where(CONNECTOR_NETWORKS.c.connector_id == connector_id)
    reach = select(CONNECTORS.c.id).where(
        CONNECTORS.c.id == connector_id,
        or_(~CONNECTORS.c.public, select(NETWORKS.c.id).where(NETWORKS.c.id.in_(networks), NETWORKS.c.public).exists()),
    )
    if (await connection.execute(reach)).first() is None:
        raise invalid("public: none of the connector's networks is public")


async def _read_entries(connection: AsyncConnection, page: Select[Any]) -> list[ConnectorEntry]:
    rows = (await connection.execute(page)).all()
    allowed = select(CONNECTOR_NETWORKS).where(CONNECTOR_NETWORKS.c.connector_id.in_([row.id for row in rows]))
    networks: defaultdict[str, list[str]] = defaultdict(list)
    for row in await connection.execute(allowed.order_by(CONNECTOR_NETWORKS.c.network_id)):
        networks[row.connector_id].append(row.network_id)
    return [_read_entry(row, tuple(networks[row.id])) for row in rows]


def _read_entry(row: Row[*tuple[Any, ...]], networks: tuple[str, ...]) -> ConnectorEntry:
    return ConnectorEntry(row.id, row.profile_id, row.name, networks, read_details(row, _ENTRY))


def _list_columns(*, with_parser: bool) -> Sequence[Column[Any]]:
    return (*_ENTRY, *_DETAILS, CONNECTORS.c.payload_decoder) if with_parser else (*_ENTRY, *_DETAILS)
