"""The file: how it is made, and which files are refused."""

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from common.queue.protocol import Books, QueueUnavailableError
from common.queue.sqlite.books import BookTable
from common.queue.sqlite.problems import translate
from common.queue.sqlite.schema import APPLICATION_ID, SCHEMA_VERSION, connect

NOBODY = 65_534


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "queue.db"


@pytest.fixture
def public_path() -> Iterator[Path]:
    """A queue in a directory that everybody may read."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / "queue.db"
        connect(path, busy_seconds=1).close()
        yield path


def test_the_file_and_its_directories_are_made(tmp_path: Path) -> None:
    path = tmp_path / "var" / "deeper" / "queue.db"
    connect(path, busy_seconds=1).close()
    assert path.exists()


def test_the_file_and_what_lies_beside_it_are_for_their_owner_alone(path: Path) -> None:
    with closing(connect(path, busy_seconds=1)):
        files = list(path.parent.iterdir())
        assert {file.name for file in files} == {"queue.db", "queue.db-wal", "queue.db-shm"}
        assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


@pytest.mark.parametrize(
    ("pragma", "value"),
    [
        ("journal_mode", "wal"),
        ("synchronous", 2),  # FULL
        ("auto_vacuum", 2),  # INCREMENTAL
        ("user_version", SCHEMA_VERSION),
        ("application_id", APPLICATION_ID),
    ],
)
def test_a_commit_is_on_disk_and_space_can_be_given_back(path: Path, pragma: str, value: str | int) -> None:
    connect(path, busy_seconds=1).close()
    with closing(connect(path, busy_seconds=1)) as connection:
        assert connection.execute(f"PRAGMA {pragma}").fetchone() == (value,)


def test_opening_a_file_that_is_there_writes_nothing(path: Path) -> None:
    """On a full disk it could not, and what is in the file could not be settled."""
    with closing(connect(path, busy_seconds=1)), closing(connect(path, busy_seconds=1)) as watching:
        before = watching.execute("PRAGMA data_version").fetchone()
        connect(path, busy_seconds=1).close()
        assert watching.execute("PRAGMA data_version").fetchone() == before


def test_an_empty_file_becomes_a_queue(path: Path) -> None:
    path.touch()
    with closing(connect(path, busy_seconds=1)) as connection:
        assert BookTable(connection).read() == Books(0, 0, 0, 0, 0, in_queue=0)


def test_a_file_of_a_newer_version_is_refused_and_left_as_it_is(path: Path) -> None:
    connect(path, busy_seconds=1).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    before = path.read_bytes()
    with pytest.raises(QueueUnavailableError, match="newer") as refusal:
        connect(path, busy_seconds=1)
    assert str(path) in str(refusal.value)
    assert path.read_bytes() == before


def test_a_file_of_the_first_version_gets_books_that_count_what_it_holds_as_accepted(path: Path) -> None:
    with closing(connect(path, busy_seconds=1)) as connection:
        connection.execute("DROP TABLE books")
        connection.execute("DROP INDEX message_uplinks")
        connection.execute("PRAGMA user_version = 1")
        connection.execute(
            "INSERT INTO message (message_id, due_at, uplinks, attempt, version, body)"
            " VALUES ('a', 0, 2, 1, 1, x''), ('b', 1, 40, 1, 1, x'')"
        )
    for _ in range(2):
        with closing(connect(path, busy_seconds=1)) as connection:
            assert BookTable(connection).read() == Books(42, 0, 0, 0, 0, in_queue=42)
            assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)


def test_the_database_of_something_else_is_refused_and_left_as_it_is(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE device (serial TEXT)")
    before = path.read_bytes()
    with pytest.raises(QueueUnavailableError, match="something else") as refusal:
        connect(path, busy_seconds=1)
    assert str(path) in str(refusal.value)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_refused_by_name_with_what_to_do(path: Path) -> None:
    path.write_bytes(b"[downstream]\n" * 100)
    check_refusal(path, "Move it away")


def test_a_directory_in_the_files_place_is_refused_by_name(path: Path) -> None:
    path.mkdir()
    check_refusal(path, "cannot be opened")


def test_a_directory_that_cannot_be_made_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    check_refusal(tmp_path / "file" / "queue.db", "operating system")


@pytest.mark.usefixtures("no_privileges")
def test_a_file_that_may_not_be_written_is_refused_by_name_with_where_to_look(public_path: Path) -> None:
    check_refusal(public_path, "belong to")


@pytest.fixture
def no_privileges(public_path: Path) -> Iterator[None]:
    """Be somebody who may read the file and not write it; the superuser may do anything."""
    public_path.chmod(0o444)
    public_path.parent.chmod(0o555)
    is_superuser = os.geteuid() == 0
    if is_superuser:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if is_superuser:
            os.seteuid(0)
        public_path.parent.chmod(0o755)


def check_refusal(path: Path, words: str) -> None:
    with pytest.raises((sqlite3.Error, OSError)) as refusal:
        connect(path, busy_seconds=1)
    problem = translate(refusal.value, path)
    assert isinstance(problem, QueueUnavailableError)
    assert str(path) in str(problem)
    assert words in str(problem)
