"""The registry's database on a PostgreSQL server, which several registries may share."""

from contextlib import AbstractAsyncContextManager

from sqlalchemy import URL, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from registry.database import Database

POOL_SIZE = 10
MOST_CONNECTIONS = 20
"""Of one registry. PostgreSQL allows 100 by default, so that four registries leave room for people."""

CONNECT_SECONDS = 10
STATEMENT_SECONDS = 30

_LOCK = 0x736C75696365
"""The number of the advisory lock: any, but ours."""


class PostgresqlDatabase(Database):
    """A database on a server; ``url`` is for asyncpg."""

    def __init__(self, url: URL) -> None:
        engine = create_async_engine(
            url,
            hide_parameters=True,
            pool_size=POOL_SIZE,
            max_overflow=MOST_CONNECTIONS - POOL_SIZE,
            pool_timeout=CONNECT_SECONDS,
            connect_args={"timeout": CONNECT_SECONDS, "command_timeout": STATEMENT_SECONDS},
        )
        super().__init__(engine, f"the database {url.database!r} at {url.host}")
        # Nothing that reads needs a transaction, which would be two more trips to the server.
        self._reading = engine.execution_options(isolation_level="AUTOCOMMIT")

    @property
    def shared(self) -> bool:
        """Yes: each transaction sees what the others have committed."""
        return True

    @property
    def exists(self) -> bool:
        """Yes, or opening it says that it does not."""
        return True

    async def exclude_others(self, connection: AsyncConnection) -> None:
        """Have every other process that calls this wait until the transaction has ended."""
        await connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))

    def _connect(self) -> AbstractAsyncContextManager[AsyncConnection]:
        return self._reading.connect()

    def _begin(self) -> AbstractAsyncContextManager[AsyncConnection]:
        return self._engine.begin()
