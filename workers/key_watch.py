"""Keys whose uplinks mostly die: each is held back alone, so that a broken field map makes no million dead letters.

What is held back goes up the ladder as if it had been tried: it has a day for the map to be mended, and then ends as a
dead letter like any other. Some of it is let through all the time: that is how the watch learns of the mending.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from common import metrics
from common.envelope import Envelope
from common.reason import Reason
from workers.outcome import DeadLettered, Delivered, Outcome, RetryLater, SetAside

WINDOW = 100
"""So many of a key's last uplinks are looked at."""

HELD_FROM = 95
"""So many of them dead: the key is held back.

Who forwards many devices that nobody registered stays below that with more than one uplink in twenty that goes well.
"""

RELEASED_BELOW = 50

ADMITTED_PER_SECOND = 50.0
"""Uplinks of a key that is held back which are tried all the same."""

HELD_FOR = timedelta(seconds=30)

ENDED = (Delivered, SetAside, DeadLettered)
"""What becomes of an uplink that is not to be tried again."""

log = structlog.get_logger()


@dataclass(slots=True)
class _Watched:
    """The last uplinks of one key: which of them died."""

    died: deque[bool] = field(default_factory=lambda: deque(maxlen=WINDOW))
    deaths: int = 0
    is_held: bool = False
    next_at: float = 0.0


class KeyWatch:
    """Watches the outcomes of each key."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._keys: dict[str, _Watched] = {}

    @property
    def held(self) -> list[str]:
        """The ids of the keys that are held back."""
        return [key_id for key_id, watched in self._keys.items() if watched.is_held]

    def admits(self, envelope: Envelope) -> bool:
        """Whether this request may be tried now."""
        watched = self._keys.get(envelope.key_id)
        if watched is None or not watched.is_held:
            return True
        now = self._clock()
        if now < watched.next_at:
            return False
        watched.next_at = max(now, watched.next_at) + len(envelope.items) / ADMITTED_PER_SECOND
        return True

    def hold_back(self, envelope: Envelope) -> list[Outcome]:
        """Give the outcomes of a request that may not."""
        detail = f"not tried: the last uplinks of key {envelope.key_id!r} mostly became dead letters"
        return [RetryLater(uplink, Reason.KEY_HELD_BACK, detail, HELD_FOR) for uplink in envelope.uplinks()]

    def note(self, key_id: str, outcomes: Iterable[Outcome]) -> None:
        """Remember how a key's uplinks ended; those that are to be tried again have not ended."""
        watched = self._keys.get(key_id)
        if watched is None:
            watched = self._keys[key_id] = _Watched()
        for outcome in outcomes:
            if isinstance(outcome, ENDED):
                _add(watched, died=isinstance(outcome, DeadLettered))
        is_held = watched.deaths >= (RELEASED_BELOW if watched.is_held else HELD_FROM)
        if is_held != watched.is_held:
            watched.is_held = is_held
            metrics.KEYS_HELD_BACK.set(len(self.held))
            _log_change(key_id, watched)


def _add(watched: _Watched, *, died: bool) -> None:
    if len(watched.died) == WINDOW:
        watched.deaths -= watched.died[0]
    watched.died.append(died)
    watched.deaths += died


def _log_change(key_id: str, watched: _Watched) -> None:
    if watched.is_held:
        log.warning("key.held_back", key=key_id, dead=watched.deaths, of=len(watched.died))
    else:
        log.info("key.released", key=key_id, dead=watched.deaths, of=len(watched.died))
