"""A parser process as the registry sees it: started, asked one run at a time, killed when it does not answer."""

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping
from typing import Any

import orjson

from registry.parsers.frames import LENGTH, encode_frame
from registry.parsers.model import ParserLimits

START_SECONDS = 30.0
"""Far longer than a start takes (0.2 s), on a machine that does everything else as well."""

WALL_FACTOR = 10
"""How much longer than its processor time a run may take by the clock, before its process counts as stuck."""


class ProcessGoneError(Exception):
    """The process ended, or was ended, before it answered."""


class ParserChild:
    """One process, from its start to its end. Use it for one run at a time."""

    def __init__(
        self, process: Process, runs: asyncio.StreamWriter, answers: asyncio.StreamReader, limits: ParserLimits
    ) -> None:
        self._process = process
        self._runs = runs
        self._answers = answers
        self._limits = limits
        self._sent: set[str] = set()

    @classmethod
    async def start(cls, limits: ParserLimits) -> "ParserChild":
        """Start a process, and return when it is ready. Raises :class:`ProcessGoneError`."""
        # Isolated, and with next to nothing of our environment: it may hold secrets. Local time is UTC, as at TagoIO.
        kept = {name: value for name, value in os.environ.items() if name == "LD_LIBRARY_PATH"}
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-m", "registry.parsers.process", str(limits.seconds), str(limits.memory)),
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,  # V8 explains at length why it aborts; what the registry has to know, it is told
                env={**kept, "TZ": "UTC"},
            )
        except OSError as error:  # too many processes or open files, or too little memory
            raise ProcessGoneError(str(error)) from None
        if process.stdin is None or process.stdout is None:
            raise AssertionError("both are pipes")
        child = cls(process, process.stdin, process.stdout, limits)
        try:
            await child._receive(START_SECONDS)
        except BaseException:
            await child.kill()
            raise
        return child

    async def run(self, sources: Mapping[str, str], run: Mapping[str, Any]) -> dict[str, Any]:
        """Give the process's answer to a run; sources by version id go with it as far as it needs them.

        Raises :class:`ProcessGoneError`.
        """
        answer = await self._ask({**run, "sources": {id_: sources[id_] for id_ in sources if id_ not in self._sent}})
        if "missing" in answer:  # it did not keep them warm
            answer = await self._ask({**run, "sources": dict(sources)})
        self._sent.update(sources)
        return answer

    async def kill(self) -> None:
        """End the process, whatever it is doing."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                # Process.kill would ask whether it ended, and take the answer from whoever waits for it.
                os.kill(self._process.pid, signal.SIGKILL)
        self._runs.close()
        await self._answers.read()  # to its end, which closes the pipe
        await self._process.wait()

    async def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        seconds = WALL_FACTOR * self._limits.seconds * len(request["parsers"]) + START_SECONDS
        self._runs.write(encode_frame(request))
        answer: dict[str, Any] = orjson.loads(await self._receive(seconds))
        return answer

    async def _receive(self, seconds: float) -> bytes:
        try:
            async with asyncio.timeout(seconds):
                await self._runs.drain()
                head = await self._answers.readexactly(LENGTH.size)
                return await self._answers.readexactly(*LENGTH.unpack(head))
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError):
            raise ProcessGoneError("it ended, or did not answer in time") from None
