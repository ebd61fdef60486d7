"""A parser process: reads runs from its standard input, one after another, and writes what came of them.

It holds no secret and opens no file once it runs. Whatever happens to it, the registry starts another.
"""

import asyncio
import ctypes
import os
import resource
import signal
import sys
import traceback
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, BinaryIO

import orjson

from registry.parsers.diagnosis import Diagnosis
from registry.parsers.frames import READY, encode_frame, read_frame
from registry.parsers.isolate import (
    Isolate,
    IsolateSpoiledError,
    MemoryBrokenError,
    ParserBrokenError,
    Stopwatch,
    start_v8,
)

WARM_ISOLATES = 512
"""Parsers that a process keeps warm. Each takes 1.2 MB and a thread, and ten milliseconds of processor time to make."""

WARM_BYTES = 1_073_741_824
"""What a process may have grown by; it ends beyond. What parsers leave in their heaps is not collected at once."""

PR_SET_PDEATHSIG = 1

RESIDENT_FIELD, DATA_FIELD = 1, 5
"""Of /proc/self/statm: the pages in memory, and those that RLIMIT_DATA counts."""


class SourceMissingError(Exception):
    """A parser is not warm, or not any more, and the run did not bring its source: it has to come again with it."""


class ParserProcess:
    """What one process does with the runs it is given."""

    def __init__(self, *, seconds: float, memory: int) -> None:
        self._seconds = seconds
        self._memory = memory
        self._stopwatch = Stopwatch()
        self._first = start_v8()
        self._warm: OrderedDict[str, Isolate] = OrderedDict()
        self._growth = Growth()
        self.spent = False
        """Whether it had better end, because of the memory that it has taken."""

    def answer(self, run: dict[str, Any]) -> dict[str, Any]:
        """Run the parsers of one uplink, or only compile them; or say whose source is missing."""
        try:
            return self._compile(run) if run["compile_only"] else self._run_all(run)
        except SourceMissingError as error:
            return {"missing": str(error)}

    def _compile(self, run: dict[str, Any]) -> dict[str, Any]:
        """Compile the parsers, and run none of them."""
        for kind, version_id in run["parsers"]:
            try:
                self._warm_up(version_id, run["sources"])
            except ParserBrokenError as error:
                return {"failed": _describe(kind, error.diagnosis), "console": []}
        return {"payload": [], "serial": None, "console": []}

    def _run_all(self, run: dict[str, Any]) -> dict[str, Any]:
        payload, serial, console = run["payload"], None, []
        for kind, version_id in run["parsers"]:
            given = {"payload": payload, "raw_payload": run["raw_payload"], "device": run["device"]}
            try:
                result = self._run(version_id, run["sources"], orjson.dumps(given).decode())
                payload = _write_payload(result)
            except ParserBrokenError as error:
                console += _read_lines(kind, error.console)
                return {"failed": _describe(kind, error.diagnosis), "console": console}
            console += _read_lines(kind, result["console"])
            serial = result.get("serial") if kind == "network" else serial
        return {"payload": payload, "serial": serial, "console": console}

    def _run(self, version_id: str, sources: Mapping[str, str], run_input: str) -> dict[str, Any]:
        isolate = self._warm_up(version_id, sources)
        try:
            return isolate.run(run_input)
        except IsolateSpoiledError:
            self._drop(version_id)
            isolate = self._warm_up(version_id, {version_id: isolate.source})
            return isolate.run(run_input)
        except MemoryBrokenError:
            self.spent = True  # V8 keeps some of it
            raise
        finally:
            if not isolate.usable:
                self._drop(version_id)

    def _warm_up(self, version_id: str, sources: Mapping[str, str]) -> Isolate:
        """Give the parser's isolate, with what it may take from here on. Raises :class:`SourceMissingError`."""
        self.spent = self._growth.limit(2 * self._memory) > WARM_BYTES
        if version_id not in self._warm:
            if (source := sources.get(version_id)) is None:
                raise SourceMissingError(version_id)
            while len(self._warm) >= WARM_ISOLATES:
                self._drop(next(iter(self._warm)))
            self._warm[version_id] = Isolate(source, self._stopwatch, seconds=self._seconds, memory=self._memory)
        self._warm.move_to_end(version_id)
        return self._warm[version_id]

    def _drop(self, version_id: str) -> None:
        isolate = self._warm.pop(version_id, None)
        if isolate is not None:
            isolate.close()


def _describe(kind: str, diagnosis: Diagnosis) -> dict[str, Any]:
    return {"kind": kind, "message": diagnosis.message, "line": diagnosis.line, "column": diagnosis.column}


def _write_payload(result: dict[str, Any]) -> orjson.Fragment:
    """Give the payload as JSON, which is what both the next parser and the registry take."""
    try:
        return orjson.Fragment(orjson.dumps(result["payload"]))
    except TypeError:
        raise ParserBrokenError(Diagnosis("the result is nested too deeply"), result["console"]) from None


def _read_lines(kind: str, lines: list[Any]) -> list[list[str]]:
    """Give the lines of a console with their parser; a parser can have made anything of them."""
    return [
        [kind, *line]
        for line in lines
        if isinstance(line, list) and len(line) == 2 and all(isinstance(part, str) for part in line)  # noqa: PLR2004
    ]


class Growth:
    """What the process may take beyond what it has. V8 refuses a buffer or ends the process where it is too little."""

    def __init__(self) -> None:
        self._statm = os.open("/proc/self/statm", os.O_RDONLY) if sys.platform == "linux" else None
        self._page = resource.getpagesize()
        self._resident, _ = self._measure()

    def limit(self, more: int) -> int:
        """Let the process take so many bytes more from now on; give the bytes that it has grown by until now.

        Elsewhere than on Linux nothing limits it.
        """
        resident, data = self._measure()
        if self._statm is not None:
            resource.setrlimit(resource.RLIMIT_DATA, (data + more, resource.RLIM_INFINITY))
        return resident - self._resident

    def _measure(self) -> tuple[int, int]:
        """Give the bytes that are in memory, and those that RLIMIT_DATA counts."""
        if self._statm is None:
            return 0, 0
        pages = os.pread(self._statm, 200, 0).split()
        return int(pages[RESIDENT_FIELD]) * self._page, int(pages[DATA_FIELD]) * self._page


def give_up_rights() -> None:
    """Write no file, no core dump; end with the registry, even if that is killed."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


async def serve(runs: BinaryIO, answers: BinaryIO, *, seconds: float, memory: int) -> None:
    """Answer until there is nothing more to read. Nothing else goes on in this loop, so it may block."""
    process = ParserProcess(seconds=seconds, memory=memory)
    write(answers, READY)
    while not process.spent and (run := read_frame(runs)) is not None:
        answer = answer_safely(process, run)
        write(answers, encode_frame(answer | {"ends": process.spent}))


def write(answers: BinaryIO, frame: bytes) -> None:
    """Write a whole frame."""
    answers.write(frame)
    answers.flush()


def answer_safely(process: ParserProcess, run: dict[str, Any]) -> dict[str, Any]:
    """Answer a run; an error of ours is an answer as well, for the registry's log."""
    try:
        return process.answer(run)
    except Exception:  # noqa: BLE001 - it is logged where the logs are
        return {"broken": traceback.format_exc()}


def main() -> None:
    """Serve with the seconds and bytes that the command line gives."""
    seconds, memory = float(sys.argv[1]), int(sys.argv[2])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the registry ends us in its order
    give_up_rights()
    # What V8 prints is not an answer.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    asyncio.run(serve(sys.stdin.buffer, answers, seconds=seconds, memory=memory))
    os._exit(0)  # without taking hundreds of isolates apart


if __name__ == "__main__":
    main()
