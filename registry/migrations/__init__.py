"""The database's schema through the versions of Sluice: Alembic, run when the registry starts.

A new one is written by ``alembic revision`` with this folder as script location, and never changed once released.
"""

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection


def migrate(connection: Connection, version: str = "head") -> None:
    """Bring the database to the newest version, or to an older one for a test: all of it or nothing.

    It happens in the transaction that the connection is in.

    Raises :class:`alembic.util.CommandError` for a database that a newer Sluice has written.
    """
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "registry:migrations")  # found in a checkout and in an installed wheel
    command.upgrade(config, version)
