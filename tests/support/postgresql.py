"""Where the PostgreSQL for tests is.

``SLUICE_TEST_DATABASE`` when it is set, a URL of a server on which databases may be created; else one on this machine
that lets this user in. Where there is none, also in CI, those tests are skipped and the summary says so: what can
be tested on SQLite is tested there as well. Imports nothing of Sluice.
"""

import asyncio
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
import pytest
from pydantic import SecretStr
from sqlalchemy import make_url

URL_VARIABLE = "SLUICE_TEST_DATABASE"
LOCAL_URLS = ("postgresql:///postgres?host=/var/run/postgresql", "postgresql://postgres:postgres@127.0.0.1/postgres")
PROBE_SECONDS = 5.0


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
    execute(server, f'CREATE DATABASE "{name}"')
    try:
        yield SecretStr(make_url(server).set(database=name).render_as_string(hide_password=False))
    finally:
        execute(server, f'DROP DATABASE "{name}" WITH (FORCE)')


def execute(url: str, statement: str) -> None:
    """Execute a statement, or several; no event loop may run in this thread."""
    asyncio.run(_execute(url, statement))


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
