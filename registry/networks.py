"""Networks: kinds of connection, with the rule for their serials and the tokens that resolve them."""

from typing import Any

from pydantic import SecretStr
from sqlalchemy import Row, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from registry.database import Database
from registry.entries import NetworkEntry, NewNetwork, SerialNumber
from registry.ids import create_id
from registry.listing import EVERYTHING, Listing
from registry.refusal import denied, not_found
from registry.schema import NETWORK_TOKENS, NETWORKS
from registry.sealing import Sealer
from registry.tokens import create_network_token

_ENTRY = select(NETWORKS.c.id, NETWORKS.c.profile_id, NETWORKS.c.name, NETWORKS.c.serial_number)


class Networks:
    """The networks of a registry."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    async def create(self, profile_id: str, new: NewNetwork) -> NetworkEntry:
        """Create a network, with a token."""
        async with self._database.writing() as connection:
            return await add_network(connection, self._sealer, profile_id, new)

    async def list_for(self, profile_id: str, listing: Listing = EVERYTHING) -> list[NetworkEntry]:
        """Give the networks of a profile."""
        query = listing.apply(_ENTRY.where(NETWORKS.c.profile_id == profile_id), NETWORKS)
        async with self._database.reading() as connection:
            return [_read_entry(row) for row in await connection.execute(query)]

    async def list_all(self) -> list[NetworkEntry]:
        """Give the networks of every profile, the oldest first."""
        async with self._database.reading() as connection:
            return [_read_entry(row) for row in await connection.execute(_ENTRY.order_by(NETWORKS.c.id))]

    async def authenticate(self, token: str) -> NetworkEntry:
        """Give the network that this token belongs to. Raises :class:`registry.refusal.RefusedError` (401)."""
        query = _ENTRY.join(NETWORK_TOKENS).where(NETWORK_TOKENS.c.token_index == self._sealer.index(token))
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            raise denied()
        return _read_entry(row)

    async def tokens(self) -> dict[str, SecretStr]:
        """Give the newest token of each network, by the network's id."""
        query = select(NETWORK_TOKENS.c.network_id, NETWORK_TOKENS.c.sealed_token, NETWORK_TOKENS.c.id)
        async with self._database.reading() as connection:
            rows = await connection.execute(query.order_by(NETWORK_TOKENS.c.id))
            return {row.network_id: self._sealer.unseal(row.sealed_token, row.id) for row in rows}


async def add_network(connection: AsyncConnection, sealer: Sealer, profile_id: str, new: NewNetwork) -> NetworkEntry:
    """Create a network, with a token: a network without one is of no use to anybody."""
    network = NetworkEntry(create_id(), profile_id, new.name, new.serial_number)
    serial_number = new.serial_number and new.serial_number.model_dump(exclude_none=True)
    values = {"id": network.id, "profile_id": profile_id, "name": new.name, "serial_number": serial_number}
    await connection.execute(insert(NETWORKS).values(values))
    token = create_network_token()
    token_id = create_id()
    await connection.execute(
        insert(NETWORK_TOKENS).values(
            id=token_id,
            network_id=network.id,
            token_index=sealer.index(token.get_secret_value()),
            sealed_token=sealer.seal(token, token_id),
        )
    )
    return network


async def find_network(connection: AsyncConnection, profile_id: str, network_id: str) -> NetworkEntry:
    """Give a network that this profile may use. Raises :class:`registry.refusal.RefusedError` (404)."""
    query = _ENTRY.where(NETWORKS.c.id == network_id, NETWORKS.c.profile_id == profile_id)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise not_found("Network")
    return _read_entry(row)


def _read_entry(row: Row[*tuple[Any, ...]]) -> NetworkEntry:
    serial_number = None if row.serial_number is None else SerialNumber.model_validate(row.serial_number)
    return NetworkEntry(row.id, row.profile_id, row.name, serial_number)
