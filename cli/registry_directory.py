"""The directory of ``sluice run``: the registry in the same process, looked at again and again."""

import asyncio

import structlog
from sqlalchemy.exc import SQLAlchemyError

from common import metrics
from common.directory.model import Directory
from common.directory.served import parse_served_directory
from registry.directory import DirectoryDocument
from registry.service import Registry

POLL_SECONDS = 1.0
"""A key that was just created may send within this time."""

log = structlog.get_logger()


class RegistryDirectory:
    """See :class:`common.directory.source.DirectorySource`. Made by :meth:`open`."""

    def __init__(self, registry: Registry, downstream_url: str, document: DirectoryDocument) -> None:
        self._registry = registry
        self._downstream_url = downstream_url
        self._degraded: str | None = None
        self._etag, self._current = self._parse(document)

    @classmethod
    async def open(cls, registry: Registry, downstream_url: str) -> "RegistryDirectory":
        """Read the registry for the first time."""
        return cls(registry, downstream_url, await registry.directory.read())

    @property
    def current(self) -> Directory:
        """The last good copy."""
        return self._current

    @property
    def is_read(self) -> bool:
        """Always: the first copy is there when it is opened."""
        return True

    @property
    def degraded(self) -> str | None:
        """Why the registry could not be read the last time, or None."""
        return self._degraded

    async def wait_until_read(self) -> None:
        """Return at once."""

    async def refresh(self) -> None:
        """Read the registry now; keeps the last good copy when that fails."""
        try:
            document = await self._registry.directory.read()
        except (SQLAlchemyError, OSError) as error:  # a server that refuses the connection is an OSError
            if self._degraded is None:
                log.warning("directory.refused", why=type(error).__name__)
            self._degraded = f"the registry's database cannot be read: {type(error).__name__}"
        else:
            self._degraded = None
            if document.etag != self._etag:
                self._etag, self._current = self._parse(document)
        metrics.DIRECTORY_DEGRADED.set(self._degraded is not None)

    async def watch(self) -> None:
        """Follow the registry until cancelled."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            await self.refresh()

    def _parse(self, document: DirectoryDocument) -> tuple[str, Directory]:
        served = parse_served_directory(document.content, downstream_url=self._downstream_url)
        for entry_id in served.left_out:
            # It was checked when it was saved, by another version of Sluice; the others can do nothing about it.
            log.error("directory.entry_left_out", id=entry_id)
        return document.etag, served.directory
