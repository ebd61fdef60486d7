"""What may go wrong between us and the file, in the words of the protocol."""

import errno
import shutil
import sqlite3
from contextlib import suppress
from pathlib import Path

from common.queue.protocol import QueueUnavailableError, UnroutableError

PRIMARY_CODE = 0xFF
"""SQLite's extended codes carry the plain one in their lowest byte."""

INDEX_BYTES = 32_768
"""By which the index beside the file grows at a time."""

FULL = "the disk is full, or the file has reached its limit"
DAMAGED = (
    "it is damaged, or no queue at all. Move it away together with the files beside it that begin with its name, and a"
    " new one is made; `sqlite3 FILE .recover` may save what it holds"
)

WORDS = {
    sqlite3.SQLITE_FULL: FULL,
    sqlite3.SQLITE_BUSY: "another process has kept it locked for too long",
    sqlite3.SQLITE_READONLY: "it cannot be written; see whom the file and its directory belong to",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; see whom the file and its directory belong to",
    sqlite3.SQLITE_IOERR: "the disk failed",
    sqlite3.SQLITE_CORRUPT: DAMAGED,
    sqlite3.SQLITE_NOTADB: DAMAGED,
}

BUGS = frozenset(
    {
        0,  # raised by Python's module
        sqlite3.SQLITE_ERROR,
        sqlite3.SQLITE_TOOBIG,
        sqlite3.SQLITE_CONSTRAINT,
        sqlite3.SQLITE_MISMATCH,
        sqlite3.SQLITE_MISUSE,
        sqlite3.SQLITE_RANGE,
    }
)
"""Codes that tell of a mistake in what was asked, and not of the file."""


class FileGoneError(UnroutableError):
    """The file, or a table in it, was deleted behind our back."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"the queue in {path} was deleted; it is made anew with the next publish")


def translate(error: Exception, path: Path) -> Exception:
    """Give the protocol's error for one of SQLite or the operating system; a bug of ours stays what it is."""
    match error:
        case sqlite3.OperationalError() if "no such table" in str(error):
            return FileGoneError(path)
        case sqlite3.Error() if (code := _primary_code(error)) not in BUGS:
            words = WORDS.get(code, "SQLite refuses")
            if code == sqlite3.SQLITE_IOERR and _has_no_room(path):  # where not even its index finds room
                words = FULL
            return QueueUnavailableError(f"the queue's file {path} cannot be used: {words} ({error})")
        case OSError():
            words = FULL if error.errno in {errno.ENOSPC, errno.EDQUOT} else "the operating system refuses"
            return QueueUnavailableError(f"the queue's file {path} cannot be used: {words} ({error})")
        case _:
            return error


def is_full(error: Exception) -> bool:
    """Whether there was no room for what was to be written; less, or a deletion, may find some."""
    return isinstance(error, sqlite3.Error) and _primary_code(error) == sqlite3.SQLITE_FULL


def _has_no_room(path: Path) -> bool:
    with suppress(OSError):
        return shutil.disk_usage(path.parent).free < INDEX_BYTES
    return False


def _primary_code(error: sqlite3.Error) -> int:
    """Give SQLite's plain result code; 0 where the error comes from Python's module."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & PRIMARY_CODE
