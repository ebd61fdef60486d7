"""What an empty registry begins with: enough to create a device and a key, and to send."""

from dataclasses import dataclass

from pydantic import SecretStr
from sqlalchemy import select

from registry.connectors import add_connector
from registry.database import Database
from registry.entries import NewConnector, NewNetwork, SerialNumber
from registry.networks import add_network
from registry.profiles import add_profile
from registry.schema import PROFILES
from registry.sealing import Sealer


@dataclass(frozen=True, slots=True)
class FirstStart:
    """What the first start created. The profile's token is told here and never again."""

    profile_id: str
    profile_token: SecretStr
    network_id: str
    connector_id: str


async def create_first_entries(
    database: Database, sealer: Sealer, profile_token: SecretStr | None = None
) -> FirstStart | None:
    """Create a profile, a network and a connector, all or none; None where there is a profile already.

    The profile's token is the one that is given, else a random one.
    """
    async with database.writing() as connection:
        await database.exclude_others(connection)
        if (await connection.execute(select(PROFILES.c.id).limit(1))).first() is not None:
            return None
        profile, token = await add_profile(connection, sealer, "Default", profile_token, administrator=True)
        network = await add_network(
            connection,
            sealer,
            profile.id,
            NewNetwork(name="Generic Endpoint", serial_number=SerialNumber(case="upper")),
        )
        # It has no parser: what it is sent are the device's variables already.
        connector = await add_connector(
            connection, profile.id, NewConnector(name="Generic Sensor", networks=[network.id])
        )
    return FirstStart(profile.id, token, network.id, connector.id)
