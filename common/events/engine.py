"""What the roles need of live events, and nothing of how an engine carries them (docs/adr/0012-live-events.md)."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import structlog
from starlette.types import ASGIApp

from common.events.event import Event
from common.events.sampling import choose, is_chosen
from common.events.viewers import Viewers
from common.health import Health
from common.logs import LogBudget

KEPT_SECONDS = 0.25
"""How long what is to become an event is kept. Longer, and a viewer who is told too much is noticed later."""

SAMPLE_KEPT_SECONDS = 1.0
"""The same while nobody is told of everything: a sample is looked at, and nobody waits for one uplink to appear in it;
to wake a process that has nothing else to do costs more than an event."""

MOST_KEPT = 32
"""Things that are kept at a time: each may hold a whole request in memory."""

MakeEvent: TypeAlias = Callable[[], Event]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class EventTiming:
    """How often a viewer announces itself, and how long it is heard afterwards: two announcements may be lost."""

    announce_seconds: float = 10.0
    forget_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class Missed:
    """What a viewer is told in place of events that it does not see; ``events`` None: nobody knows how many."""

    why: str
    events: int | None = None


@dataclass(frozen=True, slots=True)
class Sampled:
    """From here on one in so many uplinks is shown, each with its whole story; 1: all of them."""

    one_in: int


FORGOTTEN = Missed("this viewer was held up for so long that it was forgotten")
"""What a viewer finds out by itself, when it comes to announce itself again."""

Seen: TypeAlias = Event | Missed | Sampled


class Events(ABC):
    """Carries events to whoever watches. Nothing here ever waits or raises: a lost event harms nothing."""

    def __init__(self, viewers: Viewers) -> None:
        self._viewers = viewers
        self._kept: list[MakeEvent] = []
        self._keeping: asyncio.TimerHandle | None = None
        self._log_budget = LogBudget(lines_per_second=1)

    @property
    def watched(self) -> bool:
        """Whether anybody watches; where nobody does, make no event."""
        return self._viewers.watched

    @property
    def details_wanted(self) -> bool:
        """Whether anybody who watches wants to see what uplinks hold."""
        return self._viewers.details_wanted

    def wants(self, uplink_id: str) -> bool:
        """Whether anybody may want to be told of this uplink; where nobody does, make no event of it."""
        return self._viewers.one_in == 1 or is_chosen(uplink_id, self._viewers.one_in)

    def choose(self, group: str, end: int) -> range:
        """Give the indexes below ``end`` of those uplinks of a request that anybody may want to be told of."""
        return choose(group, end, self._viewers.one_in) if self._viewers.watched else range(0)

    def publish(self, event: Event) -> None:
        """Give the event to those who want to see it, soon; drops it where they are too slow for it."""
        self._publish_kept()
        self._publish_made(lambda: event)

    def publish_later(self, make: MakeEvent) -> None:
        """Make an event and publish it, within :data:`SAMPLE_KEPT_SECONDS` and before any that is published after this.

        Several are made in one go, and not each amid the work of the pipeline, where none of the code that makes them
        is in the processor's caches. What ``make`` holds may not change until then.
        """
        self._kept.append(make)
        if len(self._kept) >= MOST_KEPT:
            self._publish_kept()
        elif self._keeping is None:
            seconds = KEPT_SECONDS if self._viewers.one_in == 1 else SAMPLE_KEPT_SECONDS
            self._keeping = asyncio.get_running_loop().call_later(seconds, self._publish_kept)

    def serve_beside(self, app: ASGIApp, health: Health) -> ASGIApp:  # noqa: ARG002 - for engines that serve
        """Give what a role's port serves: the role's own application, and events where viewers come for them."""
        return app

    def _publish_kept(self) -> None:
        if self._keeping is not None:
            self._keeping.cancel()
            self._keeping = None
        kept, self._kept = self._kept, []
        for make in kept:
            self._publish_made(make)

    def _publish_made(self, make: MakeEvent) -> None:
        event: Event | None = None
        try:
            event = make()
            self._carry(event)
        except Exception:
            if self._log_budget.admit("event.broken") is not None:
                log.exception("event.broken", stage=event and event.stage, uplink_id=event and event.uplink_id)

    @abstractmethod
    def _carry(self, event: Event) -> None:
        """Do what :meth:`publish` says, without its guard."""


class NoEvents(Events):
    """Where nobody can watch."""

    def __init__(self) -> None:
        super().__init__(Viewers(0))

    def _carry(self, event: Event) -> None:
        """Nobody is there."""


NO_EVENTS = NoEvents()
