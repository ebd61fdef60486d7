"""Who consumes: one at a time, and when that one dies the operating system lets go of the lock."""

import fcntl
import os
import socket
import threading
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from common.queue.protocol import QueueUnavailableError
from common.queue.sqlite.problems import translate

SUFFIX = "-consumer"
"""Of a file of its own: to close the queue's would take SQLite's locks with it."""

HOLDER_BYTES = 4_096
"""More than what a holder writes about itself."""


class ConsumerLock:
    """An exclusive lock on a file that says who holds it. Two objects exclude each other in one process as well."""

    def __init__(self, queue: Path) -> None:
        self._queue = queue
        self._path = queue.with_name(queue.name + SUFFIX)
        self._descriptor: int | None = None
        self._changing = threading.Lock()

    def acquire(self) -> None:
        """Take the lock, or make sure that it is still ours: its file may have been deleted, and be another's by now.

        Raises :class:`QueueUnavailableError`, which says who has it.
        """
        with self._changing:
            try:
                while not self._is_ours():
                    self._let_go()
                    self._take()
            except OSError as error:
                raise translate(error, self._path) from error

    def release(self) -> None:
        """Let go of it; may be called twice."""
        with self._changing:
            self._let_go()

    def is_held(self) -> bool:
        """Say whether anybody holds it, in this process or another."""
        if self._descriptor is not None:
            return True
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def _take(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with suppress(OSError):  # on a full disk it goes without saying who it is
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, _describe_self(), 0)
        except BlockingIOError as error:
            holder = _describe_holder(os.pread(descriptor, HOLDER_BYTES, 0))
            os.close(descriptor)
            raise QueueUnavailableError(
                f"the queue {self._queue} has a consumer already, {holder}; there can be one at a time"
            ) from error
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def _let_go(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _is_ours(self) -> bool:
        if self._descriptor is None:
            return False
        with suppress(FileNotFoundError):
            return os.path.samestat(os.fstat(self._descriptor), self._path.stat())
        return False


def _describe_self() -> bytes:
    return orjson.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": datetime.now(UTC)})


def _describe_holder(written: bytes) -> str:
    try:
        holder: dict[str, Any] = orjson.loads(written)
        return f"process {holder['pid']} on {holder['host']} since {holder['since']}"
    except (ValueError, TypeError, KeyError):  # it has locked the file and not yet written
        return "another process"
