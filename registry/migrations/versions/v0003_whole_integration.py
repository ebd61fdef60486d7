"""The rest of the network integration: what networks, connectors and devices describe, shares, params, files."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

ID = sa.String(24)
NAME = sa.String(100)
URL = sa.String(500)
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the columns and the tables. The oldest profile is the one that the first start created."""
    _extend_networks()
    _extend_connectors()
    _extend_devices()
    with op.batch_alter_table("authorization_keys") as keys:
        keys.add_column(sa.Column("expires_at", MOMENT))
        keys.alter_column("network_id", existing_type=ID, nullable=True)
    op.add_column("profiles", sa.Column("administrator", sa.Boolean, nullable=False, server_default=sa.false()))
    op.execute("UPDATE profiles SET administrator = true WHERE id = (SELECT min(id) FROM profiles)")
    with op.batch_alter_table("stored_uplinks") as uplinks:  # a device may go before its uplinks are forgotten
        uplinks.drop_constraint("fk_stored_uplinks_device_id", type_="foreignkey")
    op.create_table(
        "files",
        sa.Column("profile_id", ID, sa.ForeignKey("profiles.id"), primary_key=True),
        sa.Column("path", sa.String(200), primary_key=True),
        sa.Column("media_type", sa.String(20), nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("stored_at", MOMENT, nullable=False),
    )


def _extend_networks() -> None:
    op.add_column("networks", sa.Column("description", sa.Text))
    for name in ("documentation_url", "icon_url", "banner_url", "logo_url", "middleware_endpoint"):
        op.add_column("networks", sa.Column(name, URL))
    for column in _describe_use():
        op.add_column("networks", column)
    op.add_column("network_tokens", sa.Column("name", NAME, nullable=False, server_default="Token"))
    _create_shares("network")


def _extend_connectors() -> None:
    op.add_column("connectors", sa.Column("description", sa.Text))
    op.add_column("connectors", sa.Column("logo_url", URL))
    for name in ("install_text", "install_end_text", "device_annotation"):
        op.add_column("connectors", sa.Column(name, sa.Text))
    for column in _describe_use():
        op.add_column("connectors", column)
    _create_shares("connector")


def _extend_devices() -> None:
    op.add_column("devices", sa.Column("description", sa.Text))
    op.add_column("devices", sa.Column("active", sa.Boolean, nullable=False, server_default=sa.true()))
    op.add_column("devices", sa.Column("visible", sa.Boolean, nullable=False, server_default=sa.true()))
    op.add_column("devices", sa.Column("tags", sa.Text))
    op.add_column("devices", sa.Column("payload_decoder", sa.Text))
    for name in ("updated_at", "last_input", "last_authorization"):
        op.add_column("devices", sa.Column(name, MOMENT))
    op.add_column("device_tokens", sa.Column("name", NAME, nullable=False, server_default="Default"))
    op.add_column("device_tokens", sa.Column("permission", sa.String(5), nullable=False, server_default="full"))
    op.create_table(
        "device_params",
        sa.Column("id", ID, primary_key=True),
        sa.Column("device_id", ID, sa.ForeignKey("devices.id"), nullable=False),
        sa.Column("key", NAME, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("sent", sa.Boolean, nullable=False),
        sa.UniqueConstraint("device_id", "key"),
    )


def _describe_use() -> list[sa.Column[object]]:
    return [
        sa.Column("device_parameters", sa.Text),
        sa.Column("payload_decoder", sa.Text),
        sa.Column("public", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("updated_at", MOMENT),
    ]


def _create_shares(of: str) -> None:
    op.create_table(
        f"{of}_shares",
        sa.Column(f"{of}_id", ID, sa.ForeignKey(f"{of}s.id"), primary_key=True),
        sa.Column("profile_id", ID, sa.ForeignKey("profiles.id"), primary_key=True, index=True),
    )
