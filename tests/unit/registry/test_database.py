import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, insert, select, text
from sqlalchemy.exc import IntegrityError

from registry.database import Database, DatabaseUnusableError
from registry.schema import METADATA, NETWORKS, PROFILES


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "registry.db"


@pytest.fixture
async def database(file: Path) -> AsyncIterator[Database]:
    database = Database(file)
    await database.open()
    yield database
    await database.close()


def list_tables(file: Path) -> set[str]:
    connection = sqlite3.connect(file)
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    connection.close()
    return tables


async def test_the_migrations_make_of_nothing_what_the_schema_says(database: Database) -> None:
    def compare(connection: Connection) -> list[Any]:
        options = {"compare_type": True, "compare_server_default": True}
        differences: list[Any] = compare_metadata(MigrationContext.configure(connection, opts=options), METADATA)
        return differences

    async with database.reading() as connection:
        assert await connection.run_sync(compare) == []


async def test_a_database_that_is_up_to_date_is_left_alone(database: Database, file: Path) -> None:
    async with database.writing() as connection:
        await connection.execute(insert(PROFILES).values(id="p" * 24, name="Default", token_hash=b"hash"))
    again = Database(file)
    await again.open()
    async with again.reading() as connection:
        assert (await connection.execute(select(PROFILES.c.name))).scalars().all() == ["Default"]
    await again.close()


async def test_a_migration_that_fails_leaves_everything_as_it_was(file: Path) -> None:
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE records (somebody_elses INTEGER)")
    connection.close()
    with pytest.raises(DatabaseUnusableError, match="records already exists"):
        await Database(file).open()
    assert list_tables(file) == {"records"}


async def test_a_database_of_a_newer_version_is_refused(database: Database, file: Path) -> None:
    async with database.writing() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseUnusableError, match=r"newer Sluice.*9999"):
        await Database(file).open()


async def test_a_file_that_is_no_database_is_refused(file: Path) -> None:
    file.write_bytes(b"a" * 4_096)  # noqa: ASYNC240 - nobody else waits
    with pytest.raises(DatabaseUnusableError, match="not a database"):
        await Database(file).open()


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
