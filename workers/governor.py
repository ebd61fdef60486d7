"""The governor: how fast each profile may post.

The downstream counts a profile's posts in clock minutes and refuses all of them once there are too many. So they are
paced evenly, a little below the limit, which the workers share; and a 429 sets its profile, and no other, to zero.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from common import metrics
from common.directory.model import Directory
from common.directory.source import DirectorySource
from workers.answers import ThrottledError

SHARE_OF_LIMIT = 0.95
"""What is posted beside Sluice, by hand or after a lost answer, counts as well."""

MINUTE_SECONDS = 60.0

CROWDED_WAIT = timedelta(seconds=30)
"""How long uplinks go back to the queue for when their profile has too many here already."""

MOST_WAITING = 50
"""Half of the messages that a worker holds: each of those that wait may be the only one of its message."""

LONGEST_WAIT_SECONDS = 120.0
"""A pause that is longer is waited for in the queue: what is in hand is unacked, and that is not for hours."""

log = structlog.get_logger()


@dataclass(slots=True)
class _Lane:
    """One profile: its posts leave one after another."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    free_at: float = 0.0
    paused_until: float = 0.0


class Governor:
    """Gives each post its turn. Times are seconds of the clock, which is the event loop's.

    ``crowd`` is how many uplinks may wait here for the turns of their profiles while there are other profiles.
    """

    def __init__(self, directory: DirectorySource, *, crowd: int, wall_clock: Callable[[], float] = time.time) -> None:
        self._directory = directory
        self._crowd = crowd
        self._wall_clock = wall_clock
        self._lanes: dict[str, _Lane] = {}
        self._stopping = asyncio.Event()
        self._counted: tuple[Directory, int] | None = None
        self._waiting = 0
        self._waiting_uplinks = 0
        self.workers = 1
        """How many workers share the limit."""

    def stop(self) -> None:
        """Give nobody a turn any more who would have to wait for it."""
        self._stopping.set()

    @property
    def paused(self) -> dict[str, float]:
        """The profiles that were set to zero, with the seconds that are left."""
        now = _now()
        return {name: lane.paused_until - now for name, lane in self._lanes.items() if lane.paused_until > now}

    def pause(self, profile: str, wait: timedelta | None) -> None:
        """Let nothing of this profile out for the time that the downstream named, else until the next minute begins."""
        seconds = MINUTE_SECONDS - self._wall_clock() % MINUTE_SECONDS if wait is None else wait.total_seconds()
        lane = self._lane(profile)
        until = _now() + seconds
        if until > lane.paused_until:
            is_new = lane.paused_until < _now()
            lane.paused_until = until
            if is_new:
                metrics.PROFILE_PAUSES.inc()
                log.warning("profile.paused", profile=profile, seconds=round(seconds, 1))

    def is_free(self, profile: str) -> bool:
        """Whether its posts need not wait for a turn: there is no limit, and no pause."""
        return not self._interval and self._lane(profile).paused_until <= _now()

    async def turn(self, profile: str, uplinks: int, *, until: float | None) -> None:
        """Return when a post may leave that so many uplinks wait for.

        Raises :class:`ThrottledError` when that is not before ``until`` or within two minutes, when too many of the
        profile wait already, or when the worker stops.
        """
        if self.is_free(profile):
            return
        lane = self._lane(profile)
        async with self._place_among_the_waiting(profile, uplinks):
            try:
                async with asyncio.timeout_at(until), lane.lock:
                    await self._sleep_until(lane, lambda: max(lane.free_at, lane.paused_until))
                    lane.free_at = max(lane.free_at, _now()) + self._interval
            except TimeoutError:
                raise ThrottledError(f"the turn of profile {profile!r} did not come in time") from None

    async def wait_unpaused(self, profile: str) -> None:
        """Return when the profile is not set to zero. Raises as :meth:`turn`."""
        lane = self._lane(profile)
        if lane.paused_until > _now():
            async with self._place_among_the_waiting(profile, 1):
                await self._sleep_until(lane, lambda: lane.paused_until)

    @asynccontextmanager
    async def _place_among_the_waiting(self, profile: str, uplinks: int) -> AsyncIterator[None]:
        if self._is_crowded() and self._count_profiles() > 1:
            raise ThrottledError(
                f"too many uplinks wait for the turn of their profile; {profile!r} is one", CROWDED_WAIT
            )
        self._waiting += 1
        self._waiting_uplinks += uplinks
        try:
            yield
        finally:
            self._waiting -= 1
            self._waiting_uplinks -= uplinks

    def _is_crowded(self) -> bool:
        """Whether those who wait leave too little of what the worker holds to the profiles that need not."""
        return self._waiting >= MOST_WAITING or self._waiting_uplinks >= self._crowd

    async def _sleep_until(self, lane: _Lane, moment: Callable[[], float]) -> None:
        """Sleep; the moment may move on meanwhile, or the lane be paused for longer than anybody may wait here."""
        while (seconds := moment() - _now()) > 0:
            if (pause := lane.paused_until - _now()) > LONGEST_WAIT_SECONDS:
                raise ThrottledError("the profile is paused", timedelta(seconds=pause))
            if self._stopping.is_set():
                raise ThrottledError("not tried: the worker stops")
            try:
                async with asyncio.timeout(seconds):
                    await self._stopping.wait()
            except TimeoutError:
                pass

    @property
    def _interval(self) -> float:
        """Seconds between two posts of one profile from this worker; 0: there is no limit."""
        limit = self._directory.current.downstream.posts_per_minute
        return MINUTE_SECONDS * max(1, self.workers) / (limit * SHARE_OF_LIMIT) if limit else 0.0

    def _count_profiles(self) -> int:
        directory = self._directory.current
        if self._counted is None or self._counted[0] is not directory:
            self._counted = directory, len({key.profile for key in directory.keys})
        return self._counted[1]

    def _lane(self, profile: str) -> _Lane:
        lane = self._lanes.get(profile)
        if lane is None:
            lane = self._lanes[profile] = _Lane()
        return lane


def _now() -> float:
    return asyncio.get_running_loop().time()
