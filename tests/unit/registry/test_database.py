import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from pydantic import SecretStr
from sqlalchemy import Connection, MetaData, Table, insert, select, text
from sqlalchemy.exc import IntegrityError

from registry.database import Database, DatabaseUnusableError
from registry.database_url import create_database
from registry.migrations import migrate
from registry.schema import DEVICES, FILE_CONTENTS, FILES, METADATA, NETWORKS, PROFILES, STORED_UPLINKS
from registry.sqlite import SqliteDatabase
from tests.support.postgresql import find_server, temporary_database


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "registry.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, file: Path) -> Iterator[SecretStr]:
    """Where an empty database is."""
    if request.param == "sqlite":
        yield SecretStr(f"sqlite:{file}")
        return
    with temporary_database(find_server()) as url:
        yield url


@pytest.fixture
async def any_database(url: SecretStr, tmp_path: Path) -> AsyncIterator[Database]:
    """A database of either kind, not opened yet."""
    database = create_database(url, tmp_path)
    yield database
    await database.close()


@pytest.fixture
async def database(file: Path) -> AsyncIterator[Database]:
    database = SqliteDatabase(file)
    await database.open()
    yield database
    await database.close()


def list_tables(file: Path) -> set[str]:
    connection = sqlite3.connect(file)
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    connection.close()
    return tables


async def list_differences(database: Database) -> list[Any]:
    """Give what the database has otherwise than the schema says."""

    def compare(connection: Connection) -> list[Any]:
        options = {"compare_type": True, "compare_server_default": True}
        differences: list[Any] = compare_metadata(MigrationContext.configure(connection, opts=options), METADATA)
        return differences

    async with database.reading() as connection:
        return await connection.run_sync(compare)


async def test_the_migrations_make_of_nothing_what_the_schema_says(any_database: Database) -> None:
    await any_database.open()
    assert await list_differences(any_database) == []


async def test_an_older_database_is_brought_up_to_date_and_keeps_what_it_has(any_database: Database) -> None:
    """What the first version wrote: a profile that becomes the administrator, a device, and an uplink of it."""
    rows: dict[str, dict[str, Any]] = {
        "profiles": {"id": "p" * 24, "name": "Default", "token_hash": b"hash"},
        "networks": {"id": "n" * 24, "profile_id": "p" * 24, "name": "LoRaWAN", "serial_number": '{"mask":"FF"}'},
        "connectors": {"id": "c" * 24, "profile_id": "p" * 24, "name": "Any"},
        "devices": {
            "id": "d" * 24,
            "profile_id": "p" * 24,
            "network_id": "n" * 24,
            "connector_id": "c" * 24,
            "name": "A",
            "serial": "AA",
        },
        "stored_uplinks": {"uplink_id": "6a1f/0", "device_id": "d" * 24, "stored_at": datetime(2026, 1, 1, tzinfo=UTC)},
    }

    def write_first_version(connection: Connection) -> None:
        migrate(connection, "0001")
        for name, values in rows.items():
            connection.execute(Table(name, MetaData(), autoload_with=connection).insert().values(values))

    async with any_database.writing() as connection:
        await connection.run_sync(write_first_version)
    await any_database.open()
    assert await list_differences(any_database) == []
    async with any_database.reading() as connection:
        assert (await connection.execute(select(PROFILES.c.name, PROFILES.c.administrator))).all() == [
            ("Default", True)
        ]
        assert (await connection.execute(select(NETWORKS.c.serial_number, NETWORKS.c.public))).all() == [
            ({"mask": "FF"}, False)
        ]
        assert (await connection.execute(select(DEVICES.c.serial, DEVICES.c.active))).all() == [("AA", True)]
        assert (await connection.execute(select(STORED_UPLINKS.c.uplink_id))).all() == [("6a1f/0",)]


async def test_files_of_an_older_database_keep_what_they_hold_and_hold_the_same_once(any_database: Database) -> None:
    files = {"a.png": b"mill", "b.png": b"mill", "c.png": b"flour"}

    def write_older_version(connection: Connection) -> None:
        migrate(connection, "0004")
        table = Table("files", MetaData(), autoload_with=connection)
        connection.execute(insert(PROFILES).values(id="p" * 24, name="Default", token_hash=b"hash"))
        for path, content in files.items():
            values = {"profile_id": "p" * 24, "path": path, "media_type": "image/png", "content": content}
            connection.execute(table.insert().values(**values, stored_at=datetime(2026, 1, 1, tzinfo=UTC)))

    async with any_database.writing() as connection:
        await connection.run_sync(write_older_version)
    await any_database.open()
    assert await list_differences(any_database) == []
    async with any_database.reading() as connection:
        kept = await connection.execute(select(FILES.c.path, FILE_CONTENTS.c.content).join(FILE_CONTENTS))
        assert {row.path: row.content for row in kept} == files
        assert len((await connection.execute(select(FILE_CONTENTS.c.digest))).all()) == 2


async def test_several_registries_that_start_at_once_bring_a_database_up_to_date_together(
    any_database: Database, url: SecretStr, tmp_path: Path
) -> None:
    others = [create_database(url, tmp_path) for _ in range(3)]
    await asyncio.gather(*(database.open() for database in (any_database, *others)))
    assert await list_differences(any_database) == []
    for other in others:
        await other.close()


async def test_a_database_that_is_up_to_date_is_left_alone(database: Database, file: Path) -> None:
    async with database.writing() as connection:
        await connection.execute(insert(PROFILES).values(id="p" * 24, name="Default", token_hash=b"hash"))
    again = SqliteDatabase(file)
    await again.open()
    async with again.reading() as connection:
        assert (await connection.execute(select(PROFILES.c.name))).scalars().all() == ["Default"]
    await again.close()


async def test_a_migration_that_fails_leaves_everything_as_it_was(file: Path) -> None:
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE records (somebody_elses INTEGER)")
    connection.close()
    with pytest.raises(DatabaseUnusableError, match="records already exists"):
        await SqliteDatabase(file).open()
    assert list_tables(file) == {"records"}


async def test_a_database_of_a_newer_version_is_refused(database: Database, file: Path) -> None:
    async with database.writing() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseUnusableError, match=r"newer Sluice.*9999"):
        await SqliteDatabase(file).open()


async def test_a_file_that_is_no_database_is_refused(file: Path) -> None:
    file.write_bytes(b"a" * 4_096)  # noqa: ASYNC240 - nobody else waits
    with pytest.raises(DatabaseUnusableError, match="not a database"):
        await SqliteDatabase(file).open()


@pytest.mark.parametrize(("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)])
async def test_every_connection_is_durable_and_keeps_references(database: Database, pragma: str, value: object) -> None:
    async with database.reading() as reading, database.writing() as writing:
        for connection in (reading, writing):
            assert (await connection.execute(text(f"PRAGMA {pragma}"))).scalar_one() == value


async def test_a_transaction_that_fails_leaves_nothing(database: Database) -> None:
    async def fail() -> None:
        async with database.writing() as connection:
            await connection.execute(insert(PROFILES).values(id="p" * 24, name="Default", token_hash=b"hash"))
            await connection.execute(insert(NETWORKS).values(id="n" * 24, profile_id="nobody", name="LoRaWAN"))

    with pytest.raises(IntegrityError):
        await fail()
    async with database.reading() as connection:
        assert (await connection.execute(select(PROFILES.c.id))).all() == []


async def test_readers_do_not_wait_for_the_writer(database: Database) -> None:
    async with database.writing() as writing:
        await writing.execute(insert(PROFILES).values(id="p" * 24, name="Default", token_hash=b"hash"))
        async with database.reading() as reading:
            assert (await reading.execute(select(PROFILES.c.id))).all() == []


async def test_an_error_names_no_values(database: Database) -> None:
    with pytest.raises(IntegrityError) as refused:
        async with database.writing() as connection:
            await connection.execute(insert(NETWORKS).values(id="n" * 24, profile_id="p" * 24, name="secret-value"))
    assert "secret-value" not in str(refused.value)
