"""Where the registry's database is: a file unless the settings name a server."""

from pathlib import Path

from pydantic import SecretStr
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from registry.database import Database, DatabaseUnusableError
from registry.postgresql import PostgresqlDatabase
from registry.sqlite import SqliteDatabase

DATABASE_FILE = "registry.db"

FORMS = "postgresql://USER:PASSWORD@HOST/DATABASE or sqlite:PATH"

_FILE_PREFIX = "sqlite:"


def create_database(url: SecretStr | None, folder: Path) -> Database:
    """Give the database of this URL, without one that in the folder. Raises :class:`DatabaseUnusableError`."""
    if url is None:
        return SqliteDatabase(folder / DATABASE_FILE)
    text = url.get_secret_value()
    if text.startswith(_FILE_PREFIX) and "//" not in text:
        return SqliteDatabase(Path(text.removeprefix(_FILE_PREFIX)))
    try:
        server = make_url(text)
    except (ArgumentError, ValueError):
        raise DatabaseUnusableError(f"SLUICE_DATABASE is no URL of a database; write {FORMS}") from None
    if server.get_backend_name() != "postgresql":
        raise DatabaseUnusableError(f"SLUICE_DATABASE names {server.get_backend_name()}; write {FORMS}")
    return PostgresqlDatabase(server.set(drivername="postgresql+asyncpg"))
