"""The revision of the directory: what its readers compare, to learn whether anything of it has changed."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the table and its only row."""
    table = op.create_table(
        "directory_revision",
        sa.Column("only", sa.Boolean, primary_key=True, autoincrement=False),
        sa.Column("revision", sa.String(24), nullable=False),
    )
    op.bulk_insert(table, [{"only": True, "revision": "0" * 24}])
