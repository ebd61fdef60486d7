"""Where a directory comes from, as the roles see it."""

from typing import Protocol

from common.directory.model import Directory


class DirectorySource(Protocol):
    """A directory that lives: it follows its source and keeps the last good copy while that is away or broken."""

    @property
    def current(self) -> Directory:
        """The last good copy. Read it afresh for each piece of work, and keep to that one during the work."""

    @property
    def is_read(self) -> bool:
        """Whether there has been a good copy at all; until then ``current`` knows nobody."""

    @property
    def degraded(self) -> str | None:
        """Why the source could not be read the last time; ``None`` when it could."""

    async def wait_until_read(self) -> None:
        """Return once there is a good copy; :meth:`watch` has to run meanwhile."""

    async def refresh(self) -> None:
        """Look at the source now, for a worker that meets an unknown key; never raises, at most once a second."""

    async def watch(self) -> None:
        """Follow the source until cancelled."""
