"""The first schema: profiles, networks, connectors, devices, authorization keys, records."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

ID = sa.String(24)
INDEX = sa.LargeBinary(32)
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create every table."""
    op.create_table(
        "profiles",
        sa.Column("id", ID, primary_key=True),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("token_hash", INDEX, nullable=False, unique=True),
    )
    _create_networks()
    _create_connectors()
    _create_devices()
    _create_authorization_keys()
    _create_records()


def _create_networks() -> None:
    op.create_table(
        "networks",
        sa.Column("id", ID, primary_key=True),
        sa.Column("profile_id", ID, sa.ForeignKey("profiles.id"), nullable=False, index=True),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("serial_number", sa.Text),
    )
    op.create_table(
        "network_tokens",
        sa.Column("id", ID, primary_key=True),
        sa.Column("network_id", ID, sa.ForeignKey("networks.id"), nullable=False, index=True),
        sa.Column("token_index", INDEX, nullable=False, unique=True),
        sa.Column("sealed_token", sa.LargeBinary, nullable=False),
    )


def _create_connectors() -> None:
    op.create_table(
        "connectors",
        sa.Column("id", ID, primary_key=True),
        sa.Column("profile_id", ID, sa.ForeignKey("profiles.id"), nullable=False, index=True),
        sa.Column("name", sa.String(100), nullable=False),
    )
    op.create_table(
        "connector_networks",
        sa.Column("connector_id", ID, sa.ForeignKey("connectors.id"), primary_key=True),
        sa.Column("network_id", ID, sa.ForeignKey("networks.id"), primary_key=True, index=True),
    )


def _create_devices() -> None:
    op.create_table(
        "devices",
        sa.Column("id", ID, primary_key=True),
        sa.Column("profile_id", ID, sa.ForeignKey("profiles.id"), nullable=False, index=True),
        sa.Column("network_id", ID, sa.ForeignKey("networks.id"), nullable=False),
        sa.Column("connector_id", ID, sa.ForeignKey("connectors.id"), nullable=False, index=True),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("serial", sa.String(100)),
        sa.UniqueConstraint("network_id", "serial", "profile_id"),
    )
    op.create_table(
        "device_tokens",
        sa.Column("id", ID, primary_key=True),
        sa.Column("device_id", ID, sa.ForeignKey("devices.id"), nullable=False, index=True),
        sa.Column("token_index", INDEX, nullable=False, unique=True),
        sa.Column("sealed_token", sa.LargeBinary, nullable=False),
    )


def _create_authorization_keys() -> None:
    op.create_table(
        "authorization_keys",
        sa.Column("id", ID, primary_key=True),
        sa.Column("profile_id", ID, sa.ForeignKey("profiles.id"), nullable=False, index=True),
        sa.Column("network_id", ID, sa.ForeignKey("networks.id"), nullable=False, index=True),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("additional_parameters", sa.Text, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("token_index", INDEX, nullable=False, unique=True),
        sa.Column("sealed_token", sa.LargeBinary, nullable=False),
    )


def _create_records() -> None:
    op.create_table(
        "records",
        sa.Column("device_id", ID, sa.ForeignKey("devices.id"), primary_key=True),
        sa.Column("id", ID, primary_key=True),
        sa.Column("variable", sa.String(100), nullable=False),
        sa.Column("value", sa.Text),
        sa.Column("unit", sa.String(25)),
        sa.Column("group", sa.String(100), nullable=False),
        sa.Column("time", MOMENT, nullable=False),
        sa.Column("location", sa.Text),
        sa.Column("metadata", sa.Text),
        sa.Index(None, "device_id", "time"),
        sa.Index(None, "device_id", "variable", "time"),
        sa.Index(None, "device_id", "group"),
    )
    op.create_table(
        "stored_uplinks",
        sa.Column("uplink_id", sa.String(40), primary_key=True),
        sa.Column("device_id", ID, sa.ForeignKey("devices.id"), primary_key=True),
        sa.Column("stored_at", MOMENT, nullable=False, index=True),
    )
