"""The processes of a measurement: started, awaited, watched, ended."""

import asyncio
import os
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import aiohttp

REPOSITORY = Path(__file__).parents[1]
READY_SECONDS = 30.0
STOP_SECONDS = 30.0
POLL_SECONDS = 0.05


class Program:
    """One process. What it writes goes to a file, and is shown when it fails."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self._log = log

    @classmethod
    async def start(
        cls, command: Sequence[str], environment: Mapping[str, str], log: Path, *, folder: Path = REPOSITORY
    ) -> "Program":
        clean = {name: value for name, value in os.environ.items() if not name.startswith("SLUICE_")}
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *command, env={**clean, **environment}, stdout=output, stderr=output, cwd=folder
            )
        return cls(process, log)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def wait_ready(self, url: str) -> None:
        """Return when this URL is answered with success; raises RuntimeError with what the process wrote."""
        deadline = time.monotonic() + READY_SECONDS
        async with aiohttp.ClientSession() as session:
            while not await _answers(session, url):
                if self._process.returncode is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{url} does not answer:\n{self._log.read_text()[-4000:]}")
                await asyncio.sleep(POLL_SECONDS)

    async def stop(self) -> None:
        """Ask it to stop, and end it when it does not."""
        if self._process.returncode is None:
            self._process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    @property
    def resident_bytes(self) -> int:
        """The memory that it has, with its children's."""
        return sum(_read_resident(pid) for pid in _family(self.pid))

    @property
    def processor_seconds(self) -> float:
        """The processor time that it has used, with its children's."""
        return sum(_read_processor(pid) for pid in _family(self.pid))


async def _answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as response:
            return response.status < 300
    except aiohttp.ClientError:
        return False


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(member for child in children for member in _family(int(child)))]


def _read_resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _read_processor(pid: int) -> float:
    """Read what the scheduler counted, in nanoseconds; `stat` has it in hundredths of a second."""
    return sum(int(file.read_text().split()[0]) for file in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
