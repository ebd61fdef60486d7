"""How much memory a process takes while something lasts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.processes import Process

LOOK_SECONDS = 0.25
KIB = 1_024
SLACK_BYTES = 32 * KIB * KIB
"""What an allocator may keep without anything growing."""


class Memory:
    """Resident memory of one process, in bytes, one figure for each look."""

    def __init__(self, process: Process) -> None:
        self._status = Path(f"/proc/{process.pid}/status")
        self._looks: list[int] = []

    def look(self) -> None:
        """Note what it takes now."""
        (line,) = [line for line in self._status.read_text().splitlines() if line.startswith("VmRSS:")]
        self._looks.append(int(line.split()[1]) * KIB)

    @property
    def is_flat(self) -> bool:
        """Whether it took no more in the last half of the time than in the second quarter, but for some slack."""
        quarter = len(self._looks) // 4
        return max(self._looks[2 * quarter :]) <= max(self._looks[quarter : 2 * quarter + 1]) + SLACK_BYTES

    def __str__(self) -> str:
        megabytes = [look / 1_000_000 for look in self._looks]
        return f"{megabytes[0]:.0f} MB at first, {max(megabytes):.0f} at most, {megabytes[-1]:.0f} at the end"


@asynccontextmanager
async def watched_memory(*processes: Process) -> AsyncIterator[list[Memory]]:
    """Look again and again as long as the block lasts."""
    memories = [Memory(process) for process in processes]

    async def watch() -> None:
        while True:
            for memory in memories:
                memory.look()
            await asyncio.sleep(LOOK_SECONDS)

    watching = asyncio.create_task(watch())
    try:
        yield memories
    finally:
        watching.cancel()
