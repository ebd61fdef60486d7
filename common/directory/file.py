"""The directory in a file, ``sluice.toml``, that is followed while Sluice runs."""

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import structlog

from common.directory.document import parse_directory
from common.directory.model import Directory
from common.directory.problems import DirectoryError
from common.metrics import DIRECTORY_DEGRADED

__all__ = ["DirectoryError", "FileDirectory"]

PLACE_REMEDY = (
    "where there is a registry, that of `sluice run` included, set SLUICE_DIRECTORY to its URL, as in"
    " http://127.0.0.1:8081, and SLUICE_DIRECTORY_TOKEN as it has it; else put the file there, or name another in"
    " SLUICE_DIRECTORY"
)
"""What to do where there is no file."""

REFRESH_SECONDS = 1.0
"""Least time between two refreshes: a flood of unknown keys must not become a flood of reading."""

log = structlog.get_logger()


class FileDirectory:
    """A directory that follows its file. Making one reads the file and raises :class:`DirectoryError` if it cannot.

    ``downstream_url`` takes the place of the file's own. Looking at the file and reading it block the event loop:
    a millisecond with a few keys, some 45 with a thousand that changed. ``current`` itself does no I/O.
    """

    def __init__(
        self,
        path: Path,
        environ: Mapping[str, str],
        *,
        downstream_url: str | None = None,
        poll_seconds: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._environ = environ
        self._downstream_url = downstream_url
        self._poll_seconds = poll_seconds
        self._clock = clock
        self._next_refresh = clock()
        self._degraded: str | None = None
        self._read_digest: bytes | None = None
        self._current = self._read()

    @property
    def current(self) -> Directory:
        """The last good copy."""
        return self._current

    @property
    def is_read(self) -> bool:
        """Always: what cannot be read cannot be made."""
        return True

    @property
    def degraded(self) -> str | None:
        """Why the file could not be used the last time it was read; ``None`` when it could."""
        return self._degraded

    def reload(self) -> None:
        """Read the file now, changed or not; when it cannot be used, the last good copy stays. Never raises."""
        try:
            self._current = self._read()
        except DirectoryError as error:
            self._degraded = str(error)
            DIRECTORY_DEGRADED.set(1)
            log.error("directory.refused", problem=self._degraded, **self._describe())  # noqa: TRY400 -- it says it all
        else:
            self._degraded = None
            DIRECTORY_DEGRADED.set(0)
            log.info("directory.reloaded", **self._describe())

    async def wait_until_read(self) -> None:
        """Return at once."""

    async def refresh(self) -> None:
        """Reload if the file changed, at most once a second; otherwise return at once."""
        now = self._clock()
        if now < self._next_refresh:
            return
        self._next_refresh = now + REFRESH_SECONDS
        if self._look() != self._read_digest:
            self.reload()

    async def watch(self) -> None:
        """Reload whenever the file changed, until cancelled.

        The content is compared, not the file's times: that holds for an edit in place, for an editor that puts a new
        file in its place, and for the symbolic links that Kubernetes exchanges. A change counts when two looks in a
        row see the same, so that a file is not read while it is half written.
        """
        before = self._read_digest
        while True:
            await asyncio.sleep(self._poll_seconds)
            seen = self._look()
            if seen == before and seen != self._read_digest:
                self.reload()
            before = seen

    def _read(self) -> Directory:
        self._read_digest = None
        try:
            content = self._path.read_bytes()
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise DirectoryError(f"{self._path}: cannot be read: {reason}; {PLACE_REMEDY}") from error
        self._read_digest = hashlib.sha256(content).digest()
        return parse_directory(
            content, file=str(self._path), environ=self._environ, downstream_url=self._downstream_url
        )

    def _look(self) -> bytes | None:
        """Give the digest of the file's content; ``None`` while it cannot be read. The content itself holds tokens."""
        try:
            return hashlib.sha256(self._path.read_bytes()).digest()
        except OSError:
            return None

    def _describe(self) -> dict[str, object]:
        """Give the fields of a log line: which file, and how much serves."""
        current = self._current
        return {"file": str(self._path), "networks": len(current.networks), "authorizations": len(current.keys)}
