"""Connectors: what a device is, and the networks by which it may come."""

from collections import defaultdict

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from registry.database import Database
from registry.entries import ConnectorEntry, NewConnector
from registry.ids import create_id
from registry.listing import EVERYTHING, Listing
from registry.networks import find_network
from registry.refusal import invalid, not_found
from registry.schema import CONNECTOR_NETWORKS, CONNECTORS


class Connectors:
    """The connectors of a registry."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, profile_id: str, new: NewConnector) -> ConnectorEntry:
        """Create a connector. Raises :class:`registry.refusal.RefusedError` (404) for a network that is not there."""
        async with self._database.writing() as connection:
            return await add_connector(connection, profile_id, new)

    async def list_for(self, profile_id: str, listing: Listing = EVERYTHING) -> list[ConnectorEntry]:
        """Give the connectors of a profile."""
        owned = select(CONNECTORS.c.id, CONNECTORS.c.name).where(CONNECTORS.c.profile_id == profile_id)
        page = listing.apply(owned, CONNECTORS)
        allowed = select(CONNECTOR_NETWORKS).where(CONNECTOR_NETWORKS.c.connector_id.in_(select(page.subquery().c.id)))
        networks: defaultdict[str, list[str]] = defaultdict(list)
        async with self._database.reading() as connection:
            for row in await connection.execute(allowed.order_by(CONNECTOR_NETWORKS.c.network_id)):
                networks[row.connector_id].append(row.network_id)
            rows = await connection.execute(page)
            return [ConnectorEntry(row.id, profile_id, row.name, tuple(networks[row.id])) for row in rows]


async def add_connector(connection: AsyncConnection, profile_id: str, new: NewConnector) -> ConnectorEntry:
    """Create a connector for networks that the profile may use."""
    networks = tuple(dict.fromkeys(new.networks))
    for network_id in networks:
        await find_network(connection, profile_id, network_id)
    connector = ConnectorEntry(create_id(), profile_id, new.name, networks)
    values = {"id": connector.id, "profile_id": profile_id, "name": new.name}
    await connection.execute(insert(CONNECTORS).values(values))
    allowed = [{"connector_id": connector.id, "network_id": network_id} for network_id in networks]
    await connection.execute(insert(CONNECTOR_NETWORKS), allowed)
    return connector


async def check_connector(connection: AsyncConnection, profile_id: str, connector_id: str, network_id: str) -> None:
    """Check that this profile may use the connector with this network.

    Raises :class:`registry.refusal.RefusedError` (404, 400).
    """
    query = (
        select(CONNECTOR_NETWORKS.c.network_id)
        .join(CONNECTORS)
        .where(CONNECTORS.c.id == connector_id, CONNECTORS.c.profile_id == profile_id)
    )
    allowed = (await connection.execute(query)).scalars().all()
    if not allowed:
        raise not_found("Connector")
    if network_id not in allowed:
        raise invalid("connector: it does not allow this network; take one that does, or add the network to it")
