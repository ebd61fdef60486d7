"""The registry's database: one writer at a time, readers beside it. The only file that knows it is SQLite."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from alembic.util import CommandError
from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from registry.migrations import migrate

BUSY_SECONDS = 10
"""How long a statement waits for another process that writes: an operator's tool, or a second start."""

_PRAGMAS = (
    f"busy_timeout = {BUSY_SECONDS * 1000}",
    "journal_mode = WAL",
    "synchronous = FULL",  # an answer of success is a promise, and it must survive the power cut
    "foreign_keys = ON",
)


class DatabaseUnusableError(Exception):
    """The file is no database, or one that this version cannot bring up to date."""


class Database:
    """A database in one file, which is created and brought up to date when it is opened.

    Errors of the database (:class:`sqlalchemy.exc.SQLAlchemyError`) name no values: some of them are customers' data.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._engine = create_async_engine(
            URL.create("sqlite+aiosqlite", database=str(file)),
            hide_parameters=True,
        )
        self._writing = asyncio.Lock()
        _prepare_connections(self._engine.sync_engine)

    @property
    def exists(self) -> bool:
        """Whether it was opened before, now or in an earlier life."""
        return self._file.exists()

    async def open(self) -> None:
        """Create the tables, or change those of an earlier version. Raises :class:`DatabaseUnusableError`."""
        try:
            await asyncio.to_thread(self._migrate)
        except CommandError as error:
            raise DatabaseUnusableError(f"{self._file} was written by a newer Sluice: {error}") from error
        except SQLAlchemyError as error:
            cause = getattr(error, "orig", None) or error
            raise DatabaseUnusableError(f"{self._file} cannot be brought up to date: {cause}") from error

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection to read from; each statement sees what is committed when it begins."""
        async with self._engine.connect() as connection:
            yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection in a transaction, which is committed at the end, or rolled back by an exception.

        There is one at a time. SQLite has a single writer in any case, and waiting for it here costs no thread.
        """
        async with self._writing, self._engine.execution_options(writes=True).begin() as connection:
            yield connection

    def _migrate(self) -> None:
        engine = create_engine(
            URL.create("sqlite", database=str(self._file)), poolclass=NullPool, execution_options={"writes": True}
        )
        _prepare_connections(engine)
        with engine.begin() as connection:
            migrate(connection)


def _prepare_connections(engine: Engine) -> None:
    event.listen(engine, "connect", _set_pragmas)
    event.listen(engine, "begin", _begin)


def _set_pragmas(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # Python's driver would begin in its own time, and leave schema changes outside
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    # Immediate: a transaction that reads first and writes afterwards could find that another process was faster.
    if connection.get_execution_options().get("writes"):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
