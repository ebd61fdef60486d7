"""The directory at one moment, for tools that look and do not stay."""

from common.directory.model import Directory


class DirectorySnapshot:
    """See :class:`common.directory.source.DirectorySource`; it never changes."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    @property
    def current(self) -> Directory:
        """What it was made of."""
        return self._directory

    @property
    def is_read(self) -> bool:
        """Always."""
        return True

    @property
    def degraded(self) -> str | None:
        """Never."""
        return None

    async def wait_until_read(self) -> None:
        """Return at once."""

    async def refresh(self) -> None:
        """Return at once."""

    async def watch(self) -> None:
        """Return at once: there is nothing to follow."""
