"""What uploaded files hold, apart from their paths: the same bytes are kept once."""

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

DIGEST = sa.LargeBinary(32)

_FILES = sa.table(
    "files",
    sa.column("profile_id", sa.String),
    sa.column("path", sa.String),
    sa.column("content", sa.LargeBinary),
    sa.column("digest", sa.LargeBinary),
)


def upgrade() -> None:
    """Create the table, and move there what the files hold."""
    contents = op.create_table(
        "file_contents",
        sa.Column("digest", DIGEST, primary_key=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    op.add_column("files", sa.Column("digest", DIGEST))
    _move(contents)
    with op.batch_alter_table("files") as files:
        files.alter_column("digest", existing_type=DIGEST, nullable=False)
        files.create_foreign_key("fk_files_digest", "file_contents", ["digest"], ["digest"])
        files.drop_column("content")
    op.create_index("ix_files_digest", "files", ["digest"])


def _move(contents: sa.Table) -> None:
    """Move one file after the other, for all of them may be more than fits into memory."""
    connection = op.get_bind()
    moved: set[bytes] = set()
    for profile_id, path in connection.execute(sa.select(_FILES.c.profile_id, _FILES.c.path)).all():
        file = _FILES.c.profile_id == profile_id, _FILES.c.path == path
        content: bytes = connection.execute(sa.select(_FILES.c.content).where(*file)).scalar_one()
        digest = hashlib.sha256(content).digest()
        if digest not in moved:
            moved.add(digest)
            connection.execute(contents.insert().values(digest=digest, content=content))
        connection.execute(_FILES.update().where(*file).values(digest=digest))
