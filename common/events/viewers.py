"""Who watches at the moment, as this process has heard."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from common import metrics
from common.events.announcement import Announcement
from common.events.event import Event
from common.events.sampling import Sampler, is_sampled

MOST_VIEWERS = 32
"""Viewers that are heard at a time: each of them is asked about each event."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Somebody who watches: what they announced last, and which part of the uplinks they are told of."""

    announcement: Announcement
    sampler: Sampler

    def wants(self, event: Event) -> bool:
        """Whether they want to see the event, and it is about an uplink that they are told of."""
        return is_sampled(event, self.sampler.one_in) and self.announcement.event_filter.fits(event)


class Viewers:
    """Whoever has announced itself within ``forget_seconds``; ``forgotten`` is told who has not done it again."""

    def __init__(self, forget_seconds: float, forgotten: Callable[[str], None] = lambda _: None) -> None:
        self._forget_seconds = forget_seconds
        self._forgotten = forgotten
        self._viewers: dict[str, Viewer] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self.watched = False
        """Whether anybody watches: the one question that a request costs when nobody does."""
        self.details_wanted = False
        """Whether anybody wants to see what uplinks hold."""
        self.one_in = 1
        """Of how many uplinks at least one is told, to whoever can use most of them."""

    def note(self, announcement: Announcement) -> bool:
        """Hear a viewer, for the first time or again; False: there are too many, and this one is not heard."""
        name = announcement.viewer
        before = self._viewers.get(name)
        if before is None and len(self._viewers) >= MOST_VIEWERS:
            return False
        if name in self._timers:
            self._timers[name].cancel()
        self._timers[name] = asyncio.get_running_loop().call_later(self._forget_seconds, self.forget, name)
        sampler = Sampler(self._look) if before is None else before.sampler
        sampler.most = announcement.uplinks_per_second
        self._viewers[name] = Viewer(announcement, sampler)
        self._look()
        return True

    def forget(self, viewer: str) -> None:
        """Hear this viewer no longer."""
        if viewer in self._viewers:
            self._timers.pop(viewer).cancel()
            self._viewers.pop(viewer).sampler.close()
            self._look()
            self._forgotten(viewer)

    def forget_all(self) -> None:
        """Hear nobody any more."""
        for viewer in list(self._viewers):
            self.forget(viewer)

    def sampler_of(self, viewer: str) -> Sampler:
        """Give what says which uplinks this viewer is told of; raises KeyError for one that is not heard."""
        return self._viewers[viewer].sampler

    def list_sampled(self) -> dict[str, int]:
        """Say of how many uplinks each viewer is told of one, where that is not each of them."""
        return {name: each.sampler.one_in for name, each in self._viewers.items() if each.sampler.one_in > 1}

    def choose(self, event: Event) -> list[Announcement]:
        """Give the announcements of those who want to see the event, and count it as told to them."""
        wanting = [each for each in self._viewers.values() if each.wants(event)]
        for each in wanting:
            each.sampler.note(event)
        return [each.announcement for each in wanting]

    def _look(self) -> None:
        viewers = self._viewers.values()
        self.watched = bool(viewers)
        self.details_wanted = any(each.announcement.details for each in viewers)
        self.one_in = min((each.sampler.one_in for each in viewers), default=1)
        metrics.EVENT_VIEWERS.set(len(viewers))
