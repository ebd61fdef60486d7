"""The registry's database in a file: one writer at a time, readers beside it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from registry.database import Database

BUSY_SECONDS = 10
"""How long a statement waits for another process that writes: an operator's tool, or a second start."""

LOG_POLL_SECONDS = 0.02
"""Between two tries to give a new file its log while another process does the same."""

_PRAGMAS = (
    f"busy_timeout = {BUSY_SECONDS * 1000}",
    "synchronous = FULL",  # an answer of success is a promise, and it must survive the power cut
    "foreign_keys = ON",
)


class SqliteDatabase(Database):
    """A database in one file."""

    def __init__(self, file: Path) -> None:
        url = URL.create("sqlite+aiosqlite", database=str(file))
        super().__init__(create_async_engine(url, hide_parameters=True), str(file))
        self._file = file
        self._writing = asyncio.Lock()
        _prepare_connections(self._engine.sync_engine)

    @property
    def shared(self) -> bool:
        """No: a second process may look into it, but there is one that serves."""
        return False

    @property
    def exists(self) -> bool:
        """Whether there is a file."""
        return self._file.exists()

    async def prepare(self) -> None:
        """Have the file keep a write-ahead log, so that readers do not wait for the writer; the file remembers it.

        Two processes that do so at once to a new file would wait for each other for ever, so SQLite refuses one of
        them without waiting for its time-out: it has to ask again.
        """
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                async with self._engine.connect() as connection:
                    await connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            except OperationalError as error:
                if "locked" not in str(error.orig) or time.monotonic() > deadline:
                    raise
                await asyncio.sleep(LOG_POLL_SECONDS)
            else:
                return

    async def exclude_others(self, connection: AsyncConnection) -> None:
        """Do nothing: the transaction has excluded them when it began."""

    @asynccontextmanager
    async def _begin(self) -> AsyncIterator[AsyncConnection]:
        """Begin one at a time: SQLite has a single writer in any case, and waiting for it here costs no thread."""
        async with self._writing, self._engine.execution_options(writes=True).begin() as connection:
            yield connection


def _prepare_connections(engine: Engine) -> None:
    event.listen(engine, "connect", _prepare_connection)
    event.listen(engine, "begin", _begin_immediate)


def _prepare_connection(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # Python's driver would begin in its own time, and leave schema changes outside
    connection.create_function("lower", 1, str.lower, deterministic=True)  # SQLite's own knows no letters beyond ASCII
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    # Immediate: a transaction that reads first and writes afterwards could find that another process was faster.
    if connection.get_execution_options().get("writes"):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
