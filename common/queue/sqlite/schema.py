"""The file: making it, opening it, and refusing one that is not ours or from the future."""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from common.queue.protocol import QueueMissingError, QueueUnavailableError
from common.queue.sqlite.limits import MEBIBYTE

APPLICATION_ID = int.from_bytes(b"SLUC")
"""Written into the file, so that the database of something else is not taken for a queue."""

SCHEMA_VERSION = 2
"""Counts up with every change that an older Sluice could not work with."""

AT_ONCE = 0
"""``due_at`` of a message in the work queue."""

SUSPECT = -1
"""``due_at`` of a message that may have killed a worker; of these, one at a time is in hand."""

WAL_PAGES = 1_000
"""Pages (4 kB) after which the log goes into the file. More would gain little and make the next commit wait longer."""

WAL_LIMIT_BYTES = 4 * MEBIBYTE
"""What a burst leaves of the log's size; the space is used again."""

PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = FULL",  # a commit is on disk when it returns
    "fullfsync = ON",  # on macOS nothing less reaches the disk
    f"wal_autocheckpoint = {WAL_PAGES}",
    f"journal_size_limit = {WAL_LIMIT_BYTES}",
    "secure_delete = OFF",  # some builds overwrite what is deleted: twice the writing, and a queue holds no secrets
)

TABLES = (
    # Messages come and go; one that is put back takes the place of another, with a message_id of its own. due_at is 0
    # for the work queue, -1 for a suspect, else milliseconds since 1970. An id is never used twice, so that a
    # settlement that comes late cannot hit another message.
    """
    CREATE TABLE IF NOT EXISTS message (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        message_id TEXT NOT NULL,
        due_at INTEGER NOT NULL,
        uplinks INTEGER NOT NULL,
        attempt INTEGER NOT NULL,
        version INTEGER NOT NULL,
        body BLOB NOT NULL
    ) STRICT
    """,
    "CREATE INDEX IF NOT EXISTS message_due_at ON message (due_at)",
    "CREATE INDEX IF NOT EXISTS message_uplinks ON message (uplinks)",  # adds them up without reading every body's page
    # What was delivered at least once and is not acknowledged. holder: who has it in hand, NULL while it waits. A table
    # of its own, because a change here would rewrite the whole page that a body is on.
    """
    CREATE TABLE IF NOT EXISTS delivery (
        id INTEGER PRIMARY KEY REFERENCES message,
        count INTEGER NOT NULL,
        holder INTEGER
    ) STRICT
    """,
    # Letters and marks in the order in which they were made, as the stream holds them on RabbitMQ.
    """
    CREATE TABLE IF NOT EXISTS dead (
        id INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        entry TEXT NOT NULL,
        uplink_id TEXT NOT NULL,
        body BLOB NOT NULL
    ) STRICT
    """,
    "CREATE INDEX IF NOT EXISTS dead_uplink_id ON dead (uplink_id)",
    "CREATE INDEX IF NOT EXISTS dead_at ON dead (at)",
    # One row: the uplinks that came in and what became of them, since version 2. What a file of version 1 holds counts
    # as accepted.
    """
    CREATE TABLE IF NOT EXISTS books (
        accepted INTEGER NOT NULL,
        replayed INTEGER NOT NULL,
        delivered INTEGER NOT NULL,
        set_aside INTEGER NOT NULL,
        died INTEGER NOT NULL
    ) STRICT
    """,
    """
    INSERT INTO books (accepted, replayed, delivered, set_aside, died)
    SELECT (SELECT coalesce(sum(uplinks), 0) FROM message), 0, 0, 0, 0 WHERE NOT EXISTS (SELECT 1 FROM books)
    """,
)


def connect(path: Path, *, busy_seconds: float, existing_only: bool = False) -> sqlite3.Connection:
    """Open the queue's file, and make it where there is none. ``busy_seconds``: how long to wait for others' locks.

    Transactions are begun and ended by hand. Raises :class:`QueueUnavailableError` for a file that is not ours to use,
    or, with ``existing_only``, not there; sqlite3.Error and OSError for one that cannot be used.
    """
    if existing_only:
        _refuse_missing(path)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        _create_private(path)
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=busy_seconds, isolation_level=None
    )
    try:
        _refuse_foreign(connection, path)
        if connection.execute("PRAGMA page_count").fetchone() == (0,):
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # only an empty file takes it
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}").fetchall()
        _create_tables(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _refuse_missing(path: Path) -> None:
    """An empty file is no queue either, and would become one by being opened."""
    if not path.exists() or not path.stat().st_size:
        raise QueueMissingError(f"there is no queue in {path}; check the path")


def _create_private(path: Path) -> None:
    """Make an empty file that is nobody else's to read; SQLite gives its log and index the same mode.

    An existing one is not even opened: closing it again would take the locks from SQLite's own connections.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _refuse_foreign(connection: sqlite3.Connection, path: Path) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if application != APPLICATION_ID and (tables or application):
        raise QueueUnavailableError(f"{path} is a database of something else; give the queue a file of its own")
    if version > SCHEMA_VERSION:
        raise QueueUnavailableError(
            f"the queue's file {path} was written by a newer Sluice (version {version} of the file, this one reads"
            f" {SCHEMA_VERSION}): start the newer one again, or give this one another file"
        )


def _create_tables(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        for statement in TABLES:
            connection.execute(statement)
        if connection.execute("PRAGMA user_version").fetchone() != (SCHEMA_VERSION,):  # a full disk takes no write
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
