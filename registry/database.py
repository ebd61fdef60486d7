"""The registry's database, whichever it is: connections to read from, transactions to write in, its schema."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager

import structlog
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from registry.migrations import migrate

_PASSING_STATES = ("08", "40", "53", "57")
"""Classes of SQLSTATE that say nothing about the statement: connection, conflict, resources, an operator at work."""

log = structlog.get_logger()


class DatabaseUnusableError(Exception):
    """There is no database there, or one that this version cannot bring up to date."""


class Database(ABC):
    """A database that is created and brought up to date when it is opened.

    Errors of the database (:class:`sqlalchemy.exc.SQLAlchemyError`) name no values: some of them are customers' data.
    ``name`` is what people are told of it.
    """

    def __init__(self, engine: AsyncEngine, name: str) -> None:
        self._engine = engine
        self._name = name
        self._troubles: dict[str, str] = {}
        """What went wrong, by what was to be done."""

    @property
    @abstractmethod
    def shared(self) -> bool:
        """Whether several registries may use it at a time."""

    @property
    @abstractmethod
    def exists(self) -> bool:
        """Whether it was opened before, now or in an earlier life, as far as can be told without opening it."""

    async def open(self) -> None:
        """Create the tables, or change those of an earlier version. Raises :class:`DatabaseUnusableError`."""
        try:
            await self.prepare()
            async with self._begin() as connection:
                await self.exclude_others(connection)
                await connection.run_sync(migrate)
        except CommandError as error:
            await self.close()
            raise DatabaseUnusableError(f"{self._name} was written by a newer Sluice: {error}") from error
        except (SQLAlchemyError, OSError) as error:
            await self.close()
            cause = getattr(error, "orig", None) or error
            raise DatabaseUnusableError(f"{self._name} cannot be brought up to date: {cause}") from error

    async def prepare(self) -> None:  # noqa: B027 - most databases need nothing
        """Do what a database needs before its first transaction."""

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()

    @property
    def unavailable(self) -> str | None:
        """Why it could not be read or written the last time, or None."""
        return next(iter(self._troubles.values()), None)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection to read from; each statement sees what is committed when it begins."""
        with self._noting("read"):
            async with self._connect() as connection:
                yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection in a transaction, which is committed at the end, or rolled back by an exception."""
        with self._noting("written"):
            async with self._begin() as connection:
                yield connection

    @abstractmethod
    async def exclude_others(self, connection: AsyncConnection) -> None:
        """Have every other process that calls this wait until the transaction has ended."""

    def _connect(self) -> AbstractAsyncContextManager[AsyncConnection]:
        return self._engine.connect()

    @abstractmethod
    def _begin(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Begin a transaction."""

    @contextmanager
    def _noting(self, use: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if is_passing(error):
                self._note(use, error)
            raise
        self._note(use, None)

    def _note(self, use: str, error: Exception | None) -> None:
        before = self.unavailable
        if error is None:
            for possible in ("read", use):  # what can be written can be read, and not the other way: a disk may be full
                self._troubles.pop(possible, None)
        else:
            self._troubles[use] = f"cannot be {use}: {type(error).__name__}"
        if self.unavailable != before:
            event = "database.failed" if self.unavailable else "database.recovered"
            log.warning(event, why=self.unavailable, exc_info=error)


def is_passing(error: BaseException) -> bool:
    """Whether the same statement may succeed later: the database is away, busy or full."""
    if isinstance(error, OSError | OperationalError | InterfaceError | PoolTimeoutError):
        return True
    if not isinstance(error, DBAPIError):
        return False
    state = getattr(error.orig, "sqlstate", None) or ""
    return error.connection_invalidated or state.startswith(_PASSING_STATES)
