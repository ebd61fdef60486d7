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
    false,
    true,
)

NAME_CHARACTERS = 100
TEXT_CHARACTERS = 10_000
URL_CHARACTERS = 500
PATH_CHARACTERS = 200
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
    Column("administrator", Boolean, nullable=False, server_default=false()),
)

NETWORKS = Table(
    "networks",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("profile_id", _ID, ForeignKey("profiles.id"), nullable=False, index=True),
    Column("name", String(NAME_CHARACTERS), nullable=False),
    Column("serial_number", Document),
    Column("description", Text),
    Column("documentation_url", String(URL_CHARACTERS)),
    Column("icon_url", String(URL_CHARACTERS)),
    Column("banner_url", String(URL_CHARACTERS)),
    Column("logo_url", String(URL_CHARACTERS)),
    Column("middleware_endpoint", String(URL_CHARACTERS)),
    Column("device_parameters", Document),
    Column("payload_decoder", Text),
    Column("public", Boolean, nullable=False, server_default=false()),
    Column("updated_at", Moment),
)

NETWORK_SHARES = Table(
    "network_shares",
    METADATA,
    Column("network_id", _ID, ForeignKey("networks.id"), primary_key=True),
    Column("profile_id", _ID, ForeignKey("profiles.id"), primary_key=True, index=True),
)

NETWORK_TOKENS = Table(
    "network_tokens",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("network_id", _ID, ForeignKey("networks.id"), nullable=False, index=True),
    Column("token_index", _INDEX, nullable=False, unique=True),
    Column("sealed_token", LargeBinary, nullable=False),
    Column("name", String(NAME_CHARACTERS), nullable=False, server_default="Token"),
)

CONNECTORS = Table(
    "connectors",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("profile_id", _ID, ForeignKey("profiles.id"), nullable=False, index=True),
    Column("name", String(NAME_CHARACTERS), nullable=False),
    Column("description", Text),
    Column("logo_url", String(URL_CHARACTERS)),
    Column("install_text", Text),
    Column("install_end_text", Text),
    Column("device_annotation", Text),
    Column("device_parameters", Document),
    Column("payload_decoder", Text),
    Column("public", Boolean, nullable=False, server_default=false()),
    Column("updated_at", Moment),
)

CONNECTOR_SHARES = Table(
    "connector_shares",
    METADATA,
    Column("connector_id", _ID, ForeignKey("connectors.id"), primary_key=True),
    Column("profile_id", _ID, ForeignKey("profiles.id"), primary_key=True, index=True),
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
    Column("description", Text),
    Column("active", Boolean, nullable=False, server_default=true()),
    Column("visible", Boolean, nullable=False, server_default=true()),
    Column("tags", Document),
    Column("payload_decoder", Text),
    Column("updated_at", Moment),
    Column("last_input", Moment),
    Column("last_authorization", Moment),
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
    Column("name", String(NAME_CHARACTERS), nullable=False, server_default="Default"),
    Column("permission", String(5), nullable=False, server_default="full"),
)

DEVICE_PARAMS = Table(
    "device_params",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("device_id", _ID, ForeignKey("devices.id"), nullable=False),
    Column("key", String(NAME_CHARACTERS), nullable=False),
    Column("value", Text, nullable=False),
    Column("sent", Boolean, nullable=False),
    UniqueConstraint("device_id", "key"),
)

AUTHORIZATION_KEYS = Table(
    "authorization_keys",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("profile_id", _ID, ForeignKey("profiles.id"), nullable=False, index=True),
    Column("network_id", _ID, ForeignKey("networks.id"), index=True),
    Column("name", String(NAME_CHARACTERS), nullable=False),
    Column("additional_parameters", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("token_index", _INDEX, nullable=False, unique=True),
    Column("sealed_token", LargeBinary, nullable=False),
    Column("expires_at", Moment),
)

DIRECTORY_REVISION = Table(
    "directory_revision",
    METADATA,
    Column("only", Boolean, primary_key=True, autoincrement=False),  # true in its only row
    Column("revision", _ID, nullable=False),
    Column("devices", _ID, nullable=False, server_default="0" * 24),  # the revision of theirs
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
    Column("device_id", _ID, primary_key=True),  # no reference: a device may go before its uplinks are forgotten
    Column("stored_at", Moment, nullable=False, index=True),
)

FILE_CONTENTS = Table(
    "file_contents",
    METADATA,
    Column("digest", _INDEX, primary_key=True),  # SHA-256
    Column("content", LargeBinary, nullable=False),
)

FILES = Table(
    "files",
    METADATA,
    Column("profile_id", _ID, ForeignKey("profiles.id"), primary_key=True),
    Column("path", String(PATH_CHARACTERS), primary_key=True),
    Column("media_type", String(20), nullable=False),
    Column("digest", _INDEX, ForeignKey("file_contents.digest"), nullable=False, index=True),
    Column("stored_at", Moment, nullable=False),
)
