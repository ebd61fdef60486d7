"""The tables, in types that SQLite and PostgreSQL share. What changes here needs a migration (migrations/versions).

Ids sort by creation and tell its time (ids.py), so that no table has a column for it.
"""

from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

NAME_CHARACTERS = 100
SERIAL_CHARACTERS = 100
VARIABLE_CHARACTERS = 100
GROUP_CHARACTERS = 100
UNIT_CHARACTERS = 25
UPLINK_ID_CHARACTERS = 40

_ID = String(24)
_INDEX = LargeBinary(32)


class Moment(TypeDecorator[datetime]):
    """A moment in UTC. SQLite keeps no offset, so it is put on when read."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - the base class's signature
        """Give what is stored."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - as above
        """Give what was stored."""
        return None if value is None else value.replace(tzinfo=value.tzinfo or UTC)


class Document(TypeDecorator[Any]):
    """A JSON value, kept as text: in a column of type JSON, SQLite would make a number of its own of it."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002 - the base class's signature
        """Give what is stored; there is no JSON null."""
        return None if value is None else orjson.dumps(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ARG002 - as above
        """Give what was stored."""
        return None if value is None else orjson.loads(value)


METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

PROFILES = Table(
    "profiles",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("name", String(NAME_CHARACTERS), nullable=False),
    Column("token_hash", _INDEX, nullable=False, unique=True),
)

NETWORKS = Table(
    "networks",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("profile_id", _ID, ForeignKey("profiles.id"), nullable=False, index=True),
    Column("name", String(NAME_CHARACTERS), nullable=False),
    Column("serial_number", Document),
)

NETWORK_TOKENS = Table(
    "network_tokens",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("network_id", _ID, ForeignKey("networks.id"), nullable=False, index=True),
    Column("token_index", _INDEX, nullable=False, unique=True),
    Column("sealed_token", LargeBinary, nullable=False),
)

CONNECTORS = Table(
    "connectors",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("profile_id", _ID, ForeignKey("profiles.id"), nullable=False, index=True),
    Column("name", String(NAME_CHARACTERS), nullable=False),
)

CONNECTOR_NETWORKS = Table(
    "connector_networks",
    METADATA,
    Column("connector_id", _ID, ForeignKey("connectors.id"), primary_key=True),
    Column("network_id", _ID, ForeignKey("networks.id"), primary_key=True, index=True),
)

DEVICES = Table(
    "devices",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("profile_id", _ID, ForeignKey("profiles.id"), nullable=False, index=True),
    Column("network_id", _ID, ForeignKey("networks.id"), nullable=False),
    Column("connector_id", _ID, ForeignKey("connectors.id"), nullable=False, index=True),
    Column("name", String(NAME_CHARACTERS), nullable=False),
    Column("serial", String(SERIAL_CHARACTERS)),
    # The network comes first, because resolving without an authorization asks for a serial of any profile.
    UniqueConstraint("network_id", "serial", "profile_id"),
)

DEVICE_TOKENS = Table(
    "device_tokens",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("device_id", _ID, ForeignKey("devices.id"), nullable=False, index=True),
    Column("token_index", _INDEX, nullable=False, unique=True),
    Column("sealed_token", LargeBinary, nullable=False),
)

AUTHORIZATION_KEYS = Table(
    "authorization_keys",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("profile_id", _ID, ForeignKey("profiles.id"), nullable=False, index=True),
    Column("network_id", _ID, ForeignKey("networks.id"), nullable=False, index=True),
    Column("name", String(NAME_CHARACTERS), nullable=False),
    Column("additional_parameters", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("token_index", _INDEX, nullable=False, unique=True),
    Column("sealed_token", LargeBinary, nullable=False),
)

RECORDS = Table(
    "records",
    METADATA,
    Column("device_id", _ID, ForeignKey("devices.id"), primary_key=True),
    Column("id", _ID, primary_key=True),
    Column("variable", String(VARIABLE_CHARACTERS), nullable=False),
    Column("value", Document),
    Column("unit", String(UNIT_CHARACTERS)),
    Column("group", String(GROUP_CHARACTERS), nullable=False),
    Column("time", Moment, nullable=False),
    Column("location", Document),
    Column("metadata", Document),
    Index(None, "device_id", "time"),
    Index(None, "device_id", "variable", "time"),
    Index(None, "device_id", "group"),
)

STORED_UPLINKS = Table(
    "stored_uplinks",
    METADATA,
    Column("uplink_id", String(UPLINK_ID_CHARACTERS), primary_key=True),
    Column("device_id", _ID, ForeignKey("devices.id"), primary_key=True),
    Column("stored_at", Moment, nullable=False, index=True),
)
