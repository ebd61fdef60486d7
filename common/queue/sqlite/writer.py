"""The one thread that talks to the file: what waits at the same moment is committed together.

A commit waits for the disk, and the disk takes as long for a hundred messages as for one.
"""

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import structlog

from common.queue.protocol import QueueUnavailableError
from common.queue.sqlite.limits import MEBIBYTE, Limits
from common.queue.sqlite.problems import is_full, translate
from common.queue.sqlite.store import Store

T = TypeVar("T")

TRANSACTION_BYTES = 8 * MEBIBYTE
"""Frames in one transaction. Beyond it sharing gains nothing more, and the others wait longer for their turn."""

CLOSED = "the queue was closed"

log = structlog.get_logger()


@dataclass(slots=True, eq=False)
class _Job:
    """Something to do in a transaction, and who waits for it. Cancelling the future withdraws it, if there is time."""

    run: Callable[[Store], Any]
    size: int
    future: asyncio.Future[Any]


class Writer:
    """Runs jobs on the file, in their order. Opens the file when it starts, and anew when it could not be used.

    A job may raise :class:`QueueUnavailableError` before it has changed anything; then it alone fails. Everything else
    fails the whole transaction.
    """

    def __init__(self, path: Path, limits: Limits, *, name: str, existing_only: bool = False) -> None:
        self._path = path
        self._existing_only = existing_only
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._waiting_bytes = 0
        self.is_closed = False
        """Whether it takes no more jobs."""
        self._ended = asyncio.Event()
        self._store: Store | None = None
        self._why_unusable: str | None = "not opened yet"
        self._busy_since: float | None = None
        self._thread = threading.Thread(target=self._work, name=f"{name} queue", daemon=True)
        self._thread.start()

    @property
    def why_away(self) -> str | None:
        """Why nothing can be done at the moment; None while there is nothing known against it."""
        if self.is_closed:
            return CLOSED
        busy_seconds = 0.0 if (since := self._busy_since) is None else time.monotonic() - since
        if busy_seconds > self._limits.answer_seconds:
            return f"the disk has not answered for {busy_seconds:.0f} s ({self._path})"
        return self._why_unusable

    async def run(self, job: Callable[[Store], T], *, size: int = 0) -> T:
        """Give the job's result when it is durable.

        ``size``: bytes that it keeps in memory. Raises :class:`QueueUnavailableError` when it failed, within the
        deadline, and at once when too much waits already; what was late may have been done all the same.
        """
        if size and self._waiting_bytes and self._waiting_bytes + size > self._limits.waiting_bytes:
            raise QueueUnavailableError(f"{self._waiting_bytes} bytes wait for the disk already ({self._path})")
        future = self.submit(job, size=size)
        try:
            async with asyncio.timeout(self._limits.answer_seconds):
                return await future
        except TimeoutError as error:
            raise QueueUnavailableError(
                f"the disk did not answer within {self._limits.answer_seconds:g} s ({self._path})"
            ) from error

    def submit(self, job: Callable[[Store], T], *, size: int = 0) -> asyncio.Future[T]:
        """Put a job in line, without a deadline. Raises :class:`QueueUnavailableError` when the queue was closed."""
        self.refuse_if_closed()
        return self._put(job, size)

    def refuse_if_closed(self) -> None:
        """Raise :class:`QueueUnavailableError` when the queue was closed."""
        if self.is_closed:
            raise QueueUnavailableError(CLOSED)

    async def close(self, last: Callable[[Store], object]) -> None:
        """Do what waits and then ``last``, within a deadline, and end the thread. Never raises, may be called twice."""
        if not self.is_closed:
            self.is_closed = True
            self._put(last, 0).add_done_callback(_forget)
            self._jobs.put(None)
        try:
            async with asyncio.timeout(self._limits.goodbye_seconds):
                await self._ended.wait()
        except TimeoutError:
            log.warning("queue.abandoned", path=str(self._path), seconds=self._limits.goodbye_seconds)
        else:
            self._thread.join()

    def _put(self, job: Callable[[Store], T], size: int) -> asyncio.Future[T]:
        future: asyncio.Future[T] = self._loop.create_future()
        self._waiting_bytes += size
        self._jobs.put(_Job(job, size, future))
        return future

    def _finish(self, jobs: list[_Job], results: list[Any]) -> None:
        """Tell those who wait; runs on the loop."""
        for job, result in zip(jobs, results, strict=True):
            self._waiting_bytes -= job.size
            if job.future.done():
                continue
            if isinstance(result, Exception):
                job.future.set_exception(result)
            else:
                job.future.set_result(result)

    # From here on everything runs in the thread.

    def _work(self) -> None:
        try:
            self._commit([])  # opens the file, so that it is known early what is wrong with it
            while jobs := self._collect():
                self._commit(jobs)
                self._give_back_space()
            self._drop_store()
        finally:
            self._call_loop(self._ended.set)

    def _collect(self) -> list[_Job]:
        """Wait for a job, and take what waits behind it, up to what one transaction should hold. Nothing: the end."""
        jobs: list[_Job] = []
        size = 0
        while (job := self._jobs.get()) is not None:
            jobs.append(job)
            size += job.size
            if size >= TRANSACTION_BYTES or self._jobs.empty():
                return jobs
        if jobs:
            self._jobs.put(None)  # to be met again when these are done
        return jobs

    def _commit(self, jobs: list[_Job]) -> None:
        self._busy_since = time.monotonic()
        try:
            results = self._transact(jobs)
        except Exception as error:  # noqa: BLE001 - whoever waits has to be told, whatever it is
            self._fail(jobs, error)
        else:
            self._note(None)
            self._call_loop(self._finish, jobs, results)
        finally:
            self._busy_since = None

    def _transact(self, jobs: list[_Job]) -> list[Any]:
        if self._store is None:
            self._store = Store(self._path, self._limits, existing_only=self._existing_only)
        with self._store.transaction():
            return [self._attempt(job, self._store) for job in jobs]

    def _attempt(self, job: _Job, store: Store) -> Any:
        if job.future.cancelled():
            return None
        try:
            return job.run(store)
        except QueueUnavailableError as refusal:
            return refusal

    def _fail(self, jobs: list[_Job], error: Exception) -> None:
        problem = translate(error, self._path)
        lacks_room, is_bug = is_full(error), not isinstance(problem, QueueUnavailableError)
        if not lacks_room:
            self._drop_store()
        if not lacks_room and not is_bug:
            self._note(str(problem))
        if len(jobs) > 1 and (lacks_room or is_bug):
            for job in jobs:  # so that only those fail that cannot be done: there may be room for a deletion
                self._commit([job])
        else:
            self._call_loop(self._finish, jobs, [problem] * len(jobs))

    def _give_back_space(self) -> None:
        with suppress(sqlite3.Error):  # whatever it is, the next transaction meets it too
            while self._jobs.empty() and self._store is not None and self._store.give_back_space():
                pass

    def _drop_store(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            with suppress(sqlite3.Error):
                store.close()

    def _note(self, why: str | None) -> None:
        """Remember whether the file can be used, and log it when that has changed."""
        if why == self._why_unusable:
            return
        self._why_unusable = why
        if why is None:
            log.info("queue.opened", path=str(self._path))
        else:
            log.warning("queue.lost", path=str(self._path), why=why)

    def _call_loop(self, call: Callable[..., object], *arguments: object) -> None:
        with suppress(RuntimeError):  # the loop is closed, so nobody waits
            self._loop.call_soon_threadsafe(call, *arguments)


def _forget(future: asyncio.Future[Any]) -> None:
    """Look at the result of what nobody waits for, lest the loop complain."""
    if not future.cancelled():
        future.exception()
