"""The parser processes of a registry, and the runs that wait for one of them.

A run goes to the process that is likely to have its parsers warm, and to any other that is free before it waits. A
process that breaks a limit, or dies, takes nothing with it but the run it had in hand: the next one gets a new process.
"""

import asyncio
import zlib
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import orjson
import structlog

from registry.parsers.child import ParserChild, ProcessGoneError
from registry.parsers.model import (
    SOURCE_BYTES,
    ConsoleLine,
    Decoded,
    Parser,
    ParserFailed,
    ParserKind,
    ParserLimits,
    ParserOutcome,
)
from registry.parsers.result import ResultRefusedError, coerce_records

MOST_WAITING = 2_000
"""Runs that wait for a process; beyond it the next is refused. At half a millisecond each, they wait a second."""

LOOK_AHEAD = 16
"""How many of those that wait a free process looks through for one that it has warm."""

TRIES = 2
"""How often a run is tried whose process died: the first time, something else may have killed it."""

log = structlog.get_logger()


class ParsersUnavailableError(Exception):
    """No parser can be run now: too much waits, or no process starts. The same run may succeed later."""


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """A run that waits, or is in hand."""

    parsers: Sequence[Parser]
    run: Mapping[str, Any]
    payload: Any
    outcome: asyncio.Future[ParserOutcome] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def sources(self) -> dict[str, str]:
        return {parser.version_id: parser.source for parser in self.parsers}

    def prefers(self, process: int, processes: int) -> bool:
        """Whether this is the process that has these parsers warm, if any has."""
        ids = "/".join(parser.version_id for parser in self.parsers)
        return zlib.crc32(ids.encode()) % processes == process


class ParserPool:
    """Runs parsers, between :meth:`open` and :meth:`close`. Processes are started when they are first needed."""

    def __init__(self, limits: ParserLimits) -> None:
        self._limits = limits
        self._jobs: set[_Job] = set()
        self._waiting: deque[_Job] = deque()
        self._idle: dict[int, asyncio.Future[_Job]] = {}
        self._workers: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def open(self) -> None:
        """Take runs from now on."""
        self._workers = [asyncio.create_task(self._work(number)) for number in range(self._limits.processes)]

    async def close(self) -> None:
        """Kill the processes; whatever still runs or waits is unavailable."""
        for worker in self._workers:
            worker.cancel()
        workers, self._workers = self._workers, []
        await asyncio.gather(*workers, return_exceptions=True)
        for job in self._jobs:
            _fail(job, ParsersUnavailableError("The parsers are being shut down"))

    async def run(
        self, parsers: Sequence[Parser], payload: Any, *, raw_payload: Any, device: Mapping[str, Any]
    ) -> ParserOutcome:
        """Run the parsers of one uplink in their order; the result of one is the payload of the next.

        ``payload`` and ``raw_payload`` are what was posted: records, other JSON, or text. ``device`` has ``id``,
        ``tags`` and ``params``. Raises :class:`ParsersUnavailableError`.
        """
        try:
            posted = orjson.Fragment(orjson.dumps(payload))
            raw = posted if raw_payload is payload else orjson.Fragment(orjson.dumps(raw_payload))
        except TypeError:
            return ParserFailed(parsers[0].kind, "what was posted is nested too deeply for it")
        run = {"payload": posted, "raw_payload": raw, "device": device, "compile_only": False}
        return await self._submit(parsers, run, payload)

    async def compile(self, parser: Parser) -> ParserOutcome:
        """Find out whether a parser can be run, without running it. Raises :class:`ParsersUnavailableError`."""
        return await self._submit([parser], {"compile_only": True}, [])

    async def _submit(self, parsers: Sequence[Parser], run: dict[str, Any], payload: Any) -> ParserOutcome:
        if not self._workers:
            raise ParsersUnavailableError("The parsers are being shut down")
        for parser in parsers:
            if (size := len(parser.source.encode())) > SOURCE_BYTES:
                return ParserFailed(parser.kind, f"its source has {size:,} bytes; at most {SOURCE_BYTES:,} are run")
        if len(self._waiting) >= MOST_WAITING:
            raise ParsersUnavailableError("Too many posts wait for their parsers")
        order = [[parser.kind, parser.version_id] for parser in parsers]
        job = _Job(parsers, {**run, "parsers": order}, payload)
        self._jobs.add(job)
        try:
            self._hand_over(job)
            return await job.outcome
        finally:
            self._jobs.discard(job)

    def _hand_over(self, job: _Job) -> None:
        """Give the job to a free worker, the one that it prefers first; else it waits."""
        free = sorted(self._idle, key=lambda number: not job.prefers(number, self._limits.processes))
        if free:
            self._idle.pop(free[0]).set_result(job)
        else:
            self._waiting.append(job)

    async def _work(self, number: int) -> None:
        """Do one job after another with a process, and get another process where that one ends."""
        child: ParserChild | None = None
        try:
            while True:
                job = await self._take(number)
                if job.outcome.done():  # whoever asked is gone
                    continue
                child = await self._do(job, child)
        finally:
            await _kill(child)

    async def _take(self, number: int) -> _Job:
        for position, job in enumerate(self._waiting):
            if position == LOOK_AHEAD:
                break
            if job.prefers(number, self._limits.processes):
                del self._waiting[position]
                return job
        if self._waiting:
            return self._waiting.popleft()
        self._idle[number] = asyncio.get_running_loop().create_future()
        return await self._idle[number]

    async def _do(self, job: _Job, child: ParserChild | None) -> ParserChild | None:
        """Do a job, and give the process that is ready for the next one."""
        try:
            child, answer = await self._ask(job, child)
        except ProcessGoneError:
            _fail(job, ParsersUnavailableError("No parser process can be started"))
            return None
        try:
            _settle(job, answer)
        except Exception as error:  # noqa: BLE001 - it reaches whoever asked, and the next run is done all the same
            _fail(job, error)
        if answer.get("ends"):
            await _kill(child)
            return None
        return child

    async def _ask(self, job: _Job, child: ParserChild | None) -> tuple[ParserChild | None, dict[str, Any]]:
        """Give the answer of a process, and the process as long as it lives.

        Raises :class:`registry.parsers.child.ProcessGoneError` where none can be started.
        """
        ran = False
        for _ in range(TRIES):
            try:
                child = child or await ParserChild.start(self._limits)
                ran = True
                return child, await child.run(job.sources, job.run)
            except ProcessGoneError:
                log.warning("parsers.process_died", parsers=[parser.version_id for parser in job.parsers])
                await _kill(child)
                child = None
            except BaseException:
                await _kill(child)
                raise
        if not ran:
            raise ProcessGoneError
        message = "it took more memory than it may have, or did not come to an end; its process was replaced"
        return None, {"failed": {"kind": job.parsers[-1].kind, "message": message, "line": None, "column": None}}


async def _kill(child: ParserChild | None) -> None:
    if child is not None:
        await child.kill()


def _fail(job: _Job, error: Exception) -> None:
    if not job.outcome.done():
        job.outcome.set_exception(error)


def _settle(job: _Job, answer: dict[str, Any]) -> None:
    if "broken" in answer:
        log.error("parsers.broken", traceback=answer["broken"])
        _fail(job, RuntimeError("the parser process met an error of its own; the log has its traceback"))
    elif not job.outcome.done():
        job.outcome.set_result(_read_outcome(job, answer))


def _read_outcome(job: _Job, answer: dict[str, Any]) -> ParserOutcome:
    console = [ConsoleLine(ParserKind(kind), level, text) for kind, level, text in answer.get("console", [])]
    if failed := answer.get("failed"):
        kind = ParserKind(failed["kind"])
        return ParserFailed(kind, failed["message"], failed["line"], failed["column"], console)
    try:
        records = coerce_records(answer["payload"], job.payload)
    except ResultRefusedError as error:
        return ParserFailed(job.parsers[-1].kind, str(error), console=console)
    serial = answer["serial"]
    return Decoded(records, None if serial is None else str(serial), console)
