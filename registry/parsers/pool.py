"""The parser processes of a registry.

A run goes to the process that is likely to have its parsers warm, and to any other that is free before it waits. A
process that breaks a limit, or dies, takes nothing with it but the run it had in hand: the next one gets a new process.
"""

import asyncio
import time
import zlib
from collections.abc import Mapping, Sequence
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
from registry.parsers.run_queue import Job, ParsersUnavailableError, RunQueue

TRIES = 2
"""How often a run is tried whose process died: the first time, something else may have killed it."""

log = structlog.get_logger()


class ParserPool:
    """Runs parsers, between :meth:`open` and :meth:`close`. Processes are started when they are first needed."""

    def __init__(self, limits: ParserLimits) -> None:
        self._limits = limits
        self._jobs: set[Job] = set()
        self._waiting = RunQueue()
        self._idle: dict[int, asyncio.Future[None]] = {}
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
            job.fail(ParsersUnavailableError("The parsers are being shut down"))

    async def run(
        self, parsers: Sequence[Parser], payload: Any, *, raw_payload: Any, device: Mapping[str, Any], profile: str = ""
    ) -> ParserOutcome:
        """Run the parsers of one uplink in their order; the result of one is the payload of the next.

        ``payload`` and ``raw_payload`` are what was posted: records, other JSON, or text. ``device`` has ``id``,
        ``tags`` and ``params``; ``profile`` is whose it is, and whose turn it takes. Raises
        :class:`registry.parsers.run_queue.ParsersUnavailableError`.
        """
        try:
            posted = orjson.Fragment(orjson.dumps(payload))
            raw = posted if raw_payload is payload else orjson.Fragment(orjson.dumps(raw_payload))
        except TypeError:
            return ParserFailed(
                parsers[0].kind, "what was posted is nested too deeply, or has a number of more than 64 bits"
            )
        run = {"payload": posted, "raw_payload": raw, "device": device, "compile_only": False}
        return await self._submit(profile, parsers, run, payload)

    async def compile(self, parser: Parser, profile: str = "") -> ParserOutcome:
        """Find out whether a parser can be run, without running it. Raises as :meth:`run`."""
        return await self._submit(profile, [parser], {"compile_only": True}, [])

    async def _submit(
        self, profile: str, parsers: Sequence[Parser], run: dict[str, Any], payload: Any
    ) -> ParserOutcome:
        if not self._workers:
            raise ParsersUnavailableError("The parsers are being shut down")
        for parser in parsers:
            if (size := len(parser.source.encode())) > SOURCE_BYTES:
                return ParserFailed(parser.kind, f"its source has {size:,} bytes; at most {SOURCE_BYTES:,} are run")
        order = [[parser.kind, parser.version_id] for parser in parsers]
        job = Job(profile, parsers, {**run, "parsers": order}, payload)
        self._waiting.add(job)
        self._jobs.add(job)
        try:
            self._wake_worker(job)
            return await job.outcome
        finally:
            self._jobs.discard(job)

    def _wake_worker(self, job: Job) -> None:
        """Have a free worker take the job, where there is one: first the one that may have its parsers warm."""
        if self._idle:
            number = min(self._idle, key=lambda number: not self._is_warm(job, number))
            self._idle.pop(number).set_result(None)

    def _is_warm(self, job: Job, number: int) -> bool:
        """Whether this worker's process has the job's parsers warm, if any has."""
        ids = "/".join(parser.version_id for parser in job.parsers)
        return zlib.crc32(ids.encode()) % self._limits.processes == number

    async def _work(self, number: int) -> None:
        """Do one job after another with a process, and get another process where that one ends."""
        child: ParserChild | None = None
        try:
            while True:
                job = await self._take(number)
                began = time.monotonic()
                child = await self._do(job, child)
                self._waiting.charge(job, time.monotonic() - began)
        finally:
            await _kill(child)

    async def _take(self, number: int) -> Job:
        while (job := self._waiting.take(lambda job: self._is_warm(job, number))) is None:
            self._idle[number] = asyncio.get_running_loop().create_future()
            await self._idle[number]
        return job

    async def _do(self, job: Job, child: ParserChild | None) -> ParserChild | None:
        """Do a job, and give the process that is ready for the next one. Whatever goes wrong is the job's outcome."""
        try:
            child, answer = await self._ask(job, child)
        except ProcessGoneError:
            job.fail(ParsersUnavailableError("No parser process can be started"))
            return None
        except Exception as error:  # noqa: BLE001 - it reaches whoever asked, and the next run is done all the same
            job.fail(error)
            return None
        try:
            _settle(job, answer)
        except Exception as error:  # noqa: BLE001 - as above
            job.fail(error)
        if child is not None and not answer.get("ends"):
            return child
        await _kill(child)
        return await self._start_next()

    async def _start_next(self) -> ParserChild | None:
        """Replace a process at the expense of whose job has ended it; None where the next job has to try."""
        try:
            return await ParserChild.start(self._limits)
        except Exception:  # noqa: BLE001 - the next job meets it too, and tells whoever waits for it
            return None

    async def _ask(self, job: Job, child: ParserChild | None) -> tuple[ParserChild | None, dict[str, Any]]:
        """Give the answer of a process, and the process as long as it lives.

        Raises :class:`registry.parsers.child.ProcessGoneError` where none can be started.
        """
        ran = False
        for _ in range(TRIES):
            try:
                child = child or await ParserChild.start(self._limits)
                ran = True
                return child, await child.run(job.sources, job.run)
            except ProcessGoneError as error:
                ids = [parser.version_id for parser in job.parsers]
                log.warning("parsers.process_died", parsers=ids, why=str(error))
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


def _settle(job: Job, answer: dict[str, Any]) -> None:
    if "broken" in answer:
        log.error("parsers.broken", traceback=answer["broken"])
        job.fail(RuntimeError("the parser process met an error of its own; the log has its traceback"))
    elif not job.outcome.done():
        job.outcome.set_result(_read_outcome(job, answer))


def _read_outcome(job: Job, answer: dict[str, Any]) -> ParserOutcome:
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
