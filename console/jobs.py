"""What takes longer than a request: one replay or purge at a time, and how far it has come."""

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import structlog

from common.queue.protocol import QueueUnavailableError
from console.refusal import RefusedError, not_found

KEPT_JOBS: Final = 20
"""Whose progress can be looked at; those that are over are forgotten first."""

log = structlog.get_logger()

Advance: TypeAlias = Callable[[int], None]
"""Is told how many more letters are done."""


@dataclass(slots=True)
class Job:
    """A replay or a purge. ``fault`` says why it ended before all were done."""

    verb: str
    total: int
    done: int = 0
    over: bool = False
    fault: str | None = None
    id: str = field(default_factory=lambda: secrets.token_urlsafe(12))


class Jobs:
    """The jobs of a console. They end with it: what is done stays done, and the rest stays on the list."""

    def __init__(self) -> None:
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._task: asyncio.Task[None] | None = None

    def start(self, verb: str, total: int, work: Callable[[Advance], Awaitable[None]]) -> Job:
        """Begin a job. Raises :class:`RefusedError` (409) while another one runs: two would replay one letter twice."""
        if self._task is not None and not self._task.done():
            raise RefusedError(409, "Another replay or purge is under way; wait until it is over")
        job = Job(verb, total)
        self._jobs[job.id] = job
        while len(self._jobs) > KEPT_JOBS:
            self._jobs.popitem(last=False)
        self._task = asyncio.create_task(_run(job, work))
        return job

    def find(self, job_id: str) -> Job:
        """Give a job. Raises :class:`RefusedError` (404)."""
        job = self._jobs.get(job_id)
        if job is None:
            raise not_found("Job")
        return job

    async def stop(self) -> None:
        """End the job that runs, when the page of letters is through that is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


async def _run(job: Job, work: Callable[[Advance], Awaitable[None]]) -> None:
    def advance(count: int) -> None:
        job.done += count

    try:
        await work(advance)
    except QueueUnavailableError as error:
        job.fault = str(error)
    except Exception as error:
        log.exception("job.broken", verb=job.verb)
        job.fault = f"something went wrong, the console's log says more: {type(error).__name__}"
    finally:
        job.over = True
