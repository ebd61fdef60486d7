"""The directory of ``sluice run``: the registry in the same process, looked at again and again."""

import asyncio

import structlog
from sqlalchemy.exc import SQLAlchemyError

from common import metrics
from common.directory.model import Directory
from registry.service import Registry

POLL_SECONDS = 1.0
"""A key that was just created may send within this time."""

log = structlog.get_logger()


class RegistryDirectory:
    """See :class:`common.directory.source.DirectorySource`. Made by :meth:`open`."""

    def __init__(self, registry: Registry, downstream_url: str, current: Directory) -> None:
        self._registry = registry
        self._downstream_url = downstream_url
        self._current = current
        self._degraded: str | None = None

    @classmethod
    async def open(cls, registry: Registry, downstream_url: str) -> "RegistryDirectory":
        """Read the registry for the first time."""
        return cls(registry, downstream_url, await registry.read_directory(downstream_url))

    @property
    def current(self) -> Directory:
        """The last good copy."""
        return self._current

    @property
    def degraded(self) -> str | None:
        """Why the registry could not be read the last time, or None."""
        return self._degraded

    async def refresh(self) -> None:
        """Read the registry now; keeps the last good copy when that fails."""
        try:
            self._current = await self._registry.read_directory(self._downstream_url)
        except SQLAlchemyError as error:
            if self._degraded is None:
                log.warning("directory.refused", why=type(error).__name__)
            self._degraded = f"the registry's database cannot be read: {type(error).__name__}"
        else:
            self._degraded = None
        metrics.DIRECTORY_DEGRADED.set(self._degraded is not None)

    async def watch(self) -> None:
        """Follow the registry until cancelled."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            await self.refresh()
