"""Field maps that were saved at this console a moment ago, which not every worker may go by yet."""

import asyncio

IN_FORCE_SECONDS = 5.0
"""After a map was saved every worker goes by it: they look at the directory every 2 s, and one answer may be lost."""


class SavedMaps:
    """When the last one that was saved is in force everywhere, by the event loop's time."""

    def __init__(self) -> None:
        self._in_force = 0.0

    def note(self) -> None:
        """Say that one was saved just now."""
        self._in_force = asyncio.get_running_loop().time() + IN_FORCE_SECONDS

    async def wait_until_in_force(self) -> None:
        """Wait for the workers, if that is needed."""
        await asyncio.sleep(self._in_force - asyncio.get_running_loop().time())
