"""Which uplinks a viewer is told of when there are more than it can use: one in so many, with everything of each.

An uplink is chosen by its id alone, and one in eight is part of one in four: so processes that choose for themselves
choose the same uplinks, as far as the strictest of them goes. Those of one request are chosen together and evenly, for
one that is not chosen should cost the pipeline nothing.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from zlib import crc32

from common.events.event import Event, Stage

MOST_ONE_IN = 65_536

SLACK = 1.5
"""So many times its rate a viewer gets in a second before any uplink is left out: what was held up comes at once.

What is told is kept for a quarter of a second, so that even a steady rate comes to a quarter more in some seconds.
"""

SAMPLE = 1 / 4
"""Of its rate, a viewer is told so much at most once it is not told of everything: a sample is looked at and not read
through, and each uplink that is told costs the pipeline."""

CALM = 1 / 4
"""Of a sample: where no more was told, twice as many are."""

FEW = 3 / 4
"""Of its rate: a sample that stands for no more becomes everything again."""

WINDOW_SECONDS = 1.0

CALM_WINDOWS = 4
"""So many are looked at before more is told: one alone holds few uplinks of a sample, which says little, and to tell of
everything by mistake costs the pipeline as much as the sample of ten seconds."""

HEARD_SECONDS = 15.0
"""How long what a process said of its choice counts: whoever chose too few tells of more after two times four seconds,
and what it tells is on its way for up to two."""


def choose(group: str, end: int, one_in: int) -> range:
    """Give the indexes below ``end`` of those uplinks of a request that are among one in so many, a power of two."""
    return range(-crc32(group.encode()) % one_in, end, one_in)


def is_chosen(uplink_id: str, one_in: int) -> bool:
    """Whether this uplink is among one in so many, as :func:`choose` says it."""
    group, _, digits = uplink_id.rpartition("/")
    try:
        index = int(digits)
    except ValueError:  # of a message that nobody could read, or from somebody else
        group, index = uplink_id, 0
    return index in choose(group, index + 1, one_in)


def is_sampled(event: Event, one_in: int) -> bool:
    """Whether an event is about a chosen uplink; one about no uplink that is known always counts as one."""
    if one_in == 1 or event.uplink_id is None or (event.stage is Stage.DEAD and event.key is None):
        return True
    return is_chosen(event.uplink_id, one_in)


class Sampler:
    """Says for one viewer which part of the uplinks it is told of: all while there are at most ``most`` a second.

    Else a sample: a half is chosen of those that were chosen as soon as too many were told, and a quarter of all where
    that took less than half a second; twice as many after four seconds in which few were told, and all of them after
    four in which there were less than ``most``. That is far apart on purpose, for each change cuts stories.

    An uplink is counted once, however many stages it goes through here. ``changed`` is called after each change;
    ``most`` None: all are told.
    """

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        self.most: int | None = None
        self.one_in = 1
        self._changed = changed
        self._told: Counter[Stage] = Counter()
        self._lately: list[int] = []
        """Uplinks told in each window since the choice was last looked at."""
        self._window: asyncio.TimerHandle | None = None

    def note(self, event: Event) -> None:
        """Note that an event was told."""
        if self.most is None or event.uplink_id is None:
            return
        if self._window is None:
            self._begin_window()
        self._told[event.stage] += 1
        if self._told[event.stage] > self.most * (SLACK if self.one_in == 1 else SAMPLE):
            self._choose(4 if self.one_in == 1 and self._is_young() else min(self.one_in * 2, MOST_ONE_IN))

    def close(self) -> None:
        """Count no more."""
        if self._window is not None:
            self._window.cancel()
            self._window = None

    def _begin_window(self) -> None:
        self.close()
        self._told.clear()
        self._window = asyncio.get_running_loop().call_later(WINDOW_SECONDS, self._end_window)

    def _is_young(self) -> bool:
        now = asyncio.get_running_loop().time()
        return self._window is not None and self._window.when() - now > WINDOW_SECONDS / 2

    def _end_window(self) -> None:
        self._window = None
        if self.one_in == 1:
            return
        self._lately.append(max(self._told.values(), default=0))
        if len(self._lately) < CALM_WINDOWS:
            self._begin_window()
            return
        told = sum(self._lately) / CALM_WINDOWS
        self._lately.clear()
        if self.most is None or told * self.one_in <= self.most * FEW:
            self._choose(1)
        elif told <= self.most * SAMPLE * CALM:
            self._choose(self.one_in // 2)
        else:
            self._begin_window()

    def _choose(self, one_in: int) -> None:
        self.one_in = one_in
        self._lately.clear()
        self._begin_window()
        self._changed()


class Samples:
    """What each process said of how many uplinks it tells a viewer of one; the viewer shows what all of them chose."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._heard: dict[str, tuple[int, float]] = {}
        self.one_in = 1
        """Of the strictest process."""

    def note(self, source: str, one_in: int) -> bool:
        """Hear a process; says whether :attr:`one_in` is another one now."""
        now = self._clock()
        self._heard[source] = one_in, now
        self._heard = {each: said for each, said in self._heard.items() if now - said[1] < HEARD_SECONDS}
        before, self.one_in = self.one_in, max(each for each, _ in self._heard.values())
        return self.one_in != before
