"""Live events for unit tests: kept in memory, for a viewer that a test may send away."""

from common.events.announcement import Announcement
from common.events.engine import Events
from common.events.event import Event
from common.events.viewers import Viewers

VIEWER = "a-viewer-of-the-test"


class FakeEvents(Events):
    """Keeps what is published. Somebody watches from the beginning, with ``details`` or without."""

    def __init__(self, *, details: bool = False) -> None:
        super().__init__(Viewers(60))
        self.carried: list[Event] = []
        """What was published so far, without what is kept to be made later."""
        self._details = details
        self.bring_viewer()

    @property
    def told(self) -> list[Event]:
        """What was published so far, with what was kept to be made later."""
        self._publish_kept()
        return self.carried

    def sample(self, one_in: int) -> None:
        """Tell of one in so many uplinks from now on."""
        self._viewers.one_in = one_in

    def bring_viewer(self) -> None:
        self._viewers.note(Announcement(VIEWER, details=self._details))

    def send_viewer_away(self) -> None:
        self._viewers.forget(VIEWER)

    def stages(self) -> list[str]:
        return [event.stage.value for event in self.told]

    def _carry(self, event: Event) -> None:
        self.carried.append(event)
