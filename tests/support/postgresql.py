"""Where the PostgreSQL for tests is.

``SLUICE_TEST_DATABASE`` when it is set, a URL of a server on which databases may be created; else one on this machine
that lets this user in. Where there is none, also in CI, those tests are skipped and the summary says so: every one of
them runs on SQLite as well.
"""

import asyncio
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest
from pydantic import SecretStr
from sqlalchemy import delete, make_url

from registry.database_url import create_database
from registry.schema import DIRECTORY_REVISION, METADATA

URL_VARIABLE = "SLUICE_TEST_DATABASE"
LOCAL_URLS = ("postgresql:///postgres?host=/var/run/postgresql", "postgresql://postgres:postgres@127.0.0.1/postgres")
PROBE_SECONDS = 5.0

KEPT = DIRECTORY_REVISION
"""Its only row is the migrations'."""


def find_server() -> str:
    """Give the URL of a server that answers; skips the test that asks where there is none."""
    if url := os.environ.get(URL_VARIABLE):
        if not asyncio.run(_answers(url)):
            pytest.fail(f"the database of {URL_VARIABLE} does not answer")
        return url
    for url in LOCAL_URLS:
        if asyncio.run(_answers(url)):
            return url
    pytest.skip(f"{URL_VARIABLE} is not set, and no PostgreSQL on this machine lets this user in")


@contextmanager
def temporary_database(server: str) -> Iterator[SecretStr]:
    """Create an empty database, and drop it; give its URL."""
    name = f"sluice_test_{uuid.uuid4().hex[:12]}"
    asyncio.run(_execute(server, f'CREATE DATABASE "{name}"'))
    try:
        yield SecretStr(make_url(server).set(database=name).render_as_string(hide_password=False))
    finally:
        asyncio.run(_execute(server, f'DROP DATABASE "{name}" WITH (FORCE)'))


def migrate_database(url: SecretStr) -> None:
    """Bring a database up to date."""
    asyncio.run(_migrate(url))


def empty_database(url: SecretStr) -> None:
    """Delete every row: faster than another database for each test."""
    emptying = [str(delete(table)) for table in reversed(METADATA.sorted_tables) if table is not KEPT]
    asyncio.run(_execute(url.get_secret_value(), ";".join(emptying)))


async def _migrate(url: SecretStr) -> None:
    database = create_database(url, Path())
    await database.open()
    await database.close()


async def _answers(url: str) -> bool:
    try:
        await _execute(url, "SELECT 1")
    except (OSError, asyncpg.PostgresError):
        return False
    return True


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url, timeout=PROBE_SECONDS)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
