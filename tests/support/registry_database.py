"""A registry's database, brought up to date and emptied."""

import asyncio
from pathlib import Path

from pydantic import SecretStr
from sqlalchemy import delete

from registry.database_url import create_database
from registry.schema import DIRECTORY_REVISION, METADATA
from tests.support.postgresql import execute

KEPT = DIRECTORY_REVISION
"""Its only row is the migrations'."""


def migrate_database(url: SecretStr) -> None:
    """Bring a database up to date."""
    asyncio.run(_migrate(url))


def empty_database(url: SecretStr) -> None:
    """Delete every row of a server's database: faster than another database for each test."""
    emptying = [str(delete(table)) for table in reversed(METADATA.sorted_tables) if table is not KEPT]
    execute(url.get_secret_value(), ";".join(emptying))


async def _migrate(url: SecretStr) -> None:
    database = create_database(url, Path())
    await database.open()
    await database.close()
