"""The runs that wait for a parser process, and whose comes next.

Of the profiles whose runs wait it is the one whose runs have taken the least time. So whoever has slow parsers waits
for them, and the others at most for those of its runs that are in hand. (Start-time fair queueing.)
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from registry.parsers.model import Parser, ParserOutcome

MOST_WAITING = 2_000
"""Runs that wait for a process. At half a millisecond each, they wait a second."""

LONGEST_WAIT_SECONDS = 5.0
"""How long a run waits. A worker gives up its post after 15 s and repeats it; until then the post keeps others out."""

LOOK_AHEAD = 16
"""How many of a profile's runs a free process looks through for one that it has warm."""


class ParsersUnavailableError(Exception):
    """No parser can be run now: too much waits, or no process starts. The same run may succeed later."""


class ParsersBusyError(ParsersUnavailableError):
    """Too many runs of this profile wait, or they wait for too long; those of others may find a process at once."""

    def __init__(self) -> None:
        super().__init__("Too many posts wait for their parsers")


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """A run that waits, or is in hand."""

    profile: str
    parsers: Sequence[Parser]
    run: Mapping[str, Any]
    payload: Any
    outcome: asyncio.Future[ParserOutcome] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def sources(self) -> dict[str, str]:
        """The sources of its parsers by their version ids."""
        return {parser.version_id: parser.source for parser in self.parsers}

    def fail(self, error: Exception) -> None:
        """Raise this where the outcome is waited for, unless nobody waits any more."""
        if not self.outcome.done():
            self.outcome.set_exception(error)


class RunQueue:
    """What waits, by profile. A profile has no more waiting than there is room left for others."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[tuple[Job, asyncio.TimerHandle]]] = {}
        self._used: defaultdict[str, float] = defaultdict(float)
        """The seconds that each profile's runs have taken."""
        self._floor = 0.0
        """What whoever was last had used then: who comes has used as much, for time that nobody needed is not saved."""

    def add(self, job: Job) -> None:
        """Have the job wait; it fails with :class:`ParsersBusyError` in time. Raises that where there is no room."""
        jobs = self._drop_ended(job.profile)
        if len(jobs or ()) >= MOST_WAITING - sum(map(len, self._waiting.values())):
            raise ParsersBusyError
        if jobs is None:
            jobs = self._waiting[job.profile] = deque()
            self._used[job.profile] = max(self._used[job.profile], self._floor)
        jobs.append((job, asyncio.get_running_loop().call_later(LONGEST_WAIT_SECONDS, job.fail, ParsersBusyError())))

    def _drop_ended(self, profile: str) -> deque[tuple[Job, asyncio.TimerHandle]] | None:
        """Give what of a profile waits, without those at its head that nobody waits for any more; None: nothing."""
        jobs = self._waiting.get(profile)
        while jobs and jobs[0][0].outcome.done():
            jobs.popleft()[1].cancel()
        if jobs is not None and not jobs:
            del self._waiting[profile]
            return None
        return jobs

    def take(self, prefers: Callable[[Job], bool]) -> Job | None:
        """Give the job that is next, of the first ones of its profile one that is preferred; None: nothing waits."""
        while self._waiting:
            profile = min(self._waiting, key=self._used.__getitem__)
            self._floor = self._used[profile]
            jobs = self._waiting[profile]
            position = next((n for n, (job, _) in enumerate(islice(jobs, LOOK_AHEAD)) if prefers(job)), 0)
            job, too_late = jobs[position]
            del jobs[position]
            if not jobs:
                del self._waiting[profile]
            too_late.cancel()
            if not job.outcome.done():  # else it was too late, or whoever asked is gone
                return job
        return None

    def charge(self, job: Job, seconds: float) -> None:
        """Note how long a job took."""
        self._used[job.profile] += seconds
