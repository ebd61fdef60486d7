"""Live events in one process: each viewer that comes to it has a buffer of its own, filled as things happen."""

from dataclasses import dataclass, field, replace

from common.events.announcement import Announcement
from common.events.buffer import Buffer
from common.events.engine import Events, EventTiming
from common.events.event import Event, encode_event
from common.events.sampling import Sampler
from common.events.viewers import Viewers


class TooManyViewersError(Exception):
    """No further viewer is heard at the moment."""


class AlreadyWatchedError(Exception):
    """The viewer reads the events of this process already: by another of its ports, or another connection."""


@dataclass(slots=True, eq=False)
class View:
    """One viewer's buffer of encoded events. ``is_read``: somebody takes from it; ``is_over``: it gets no more."""

    sampler: Sampler
    buffer: Buffer[bytes] = field(default_factory=Buffer)
    is_read: bool = False
    is_over: bool = False


class EventHub(Events):
    """Gives each event to the views that want it. A view lives as long as its viewer announces itself."""

    def __init__(self, timing: EventTiming) -> None:
        super().__init__(Viewers(timing.forget_seconds, self._end))
        self._views: dict[str, View] = {}

    def view(self, announcement: Announcement) -> View:
        """Hear a viewer, and give its view: the same one as long as it comes back in time.

        Raises :class:`TooManyViewersError` and :class:`AlreadyWatchedError`.
        """
        if not self._viewers.note(announcement):
            raise TooManyViewersError
        view = self._views.setdefault(announcement.viewer, View(self._viewers.sampler_of(announcement.viewer)))
        if view.is_read:
            raise AlreadyWatchedError
        return view

    def leave(self, viewer: str) -> None:
        """Forget a viewer that has said that it goes."""
        self._viewers.forget(viewer)

    def close(self) -> None:
        """Forget every viewer."""
        self._viewers.forget_all()

    def _carry(self, event: Event) -> None:
        bare = event if event.details is None else replace(event, details=None)
        for announcement in self._viewers.choose(event):
            buffer = self._views[announcement.viewer].buffer
            encoded = b"" if buffer.is_full else encode_event(event if announcement.details else bare)
            buffer.offer(encoded, len(encoded))

    def _end(self, viewer: str) -> None:
        view = self._views.pop(viewer, None)
        if view is not None:
            view.is_over = True
