"""Who watches at the moment, as this process has heard."""

import asyncio
from collections.abc import Callable, Iterable

from common import metrics
from common.events.announcement import Announcement
from common.events.event import Event

MOST_VIEWERS = 32
"""Viewers that are heard at a time: each of them is asked about each event."""


class Viewers:
    """Whoever has announced itself within ``forget_seconds``; ``forgotten`` is told who has not done it again."""

    def __init__(self, forget_seconds: float, forgotten: Callable[[str], None] = lambda _: None) -> None:
        self._forget_seconds = forget_seconds
        self._forgotten = forgotten
        self._announcements: dict[str, Announcement] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self.watched = False
        """Whether anybody watches: the one question that an uplink costs when nobody does."""
        self.details_wanted = False
        """Whether anybody wants to see what uplinks hold."""

    def note(self, announcement: Announcement) -> bool:
        """Hear a viewer, for the first time or again; False: there are too many, and this one is not heard."""
        viewer = announcement.viewer
        if viewer not in self._announcements and len(self._announcements) >= MOST_VIEWERS:
            return False
        if viewer in self._timers:
            self._timers[viewer].cancel()
        self._timers[viewer] = asyncio.get_running_loop().call_later(self._forget_seconds, self.forget, viewer)
        self._announcements[viewer] = announcement
        self._look()
        return True

    def forget(self, viewer: str) -> None:
        """Hear this viewer no longer."""
        if viewer in self._announcements:
            self._timers.pop(viewer).cancel()
            del self._announcements[viewer]
            self._look()
            self._forgotten(viewer)

    def forget_all(self) -> None:
        """Hear nobody any more."""
        for viewer in list(self._announcements):
            self.forget(viewer)

    def who_wants(self, event: Event) -> Iterable[Announcement]:
        """Give the announcements of those who want to see the event."""
        return (each for each in self._announcements.values() if each.event_filter.fits(event))

    def _look(self) -> None:
        self.watched = bool(self._announcements)
        self.details_wanted = any(each.details for each in self._announcements.values())
        metrics.EVENT_VIEWERS.set(len(self._announcements))
