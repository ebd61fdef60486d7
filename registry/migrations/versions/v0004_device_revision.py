"""The revision of the devices: what registries on one database compare, to learn whether they know them still."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Put it beside the revision of the directory."""
    op.add_column("directory_revision", sa.Column("devices", sa.String(24), nullable=False, server_default="0" * 24))
