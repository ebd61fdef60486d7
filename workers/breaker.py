"""The breaker: whether the downstream is there as a whole.

One request that failed says little: it may have been about one device. So after a failure the downstream itself is
asked, with a request that concerns no uplink (the probe). When that fails too, or when requests fail for one device
after another, consuming pauses until the downstream is back: what waits for that costs no attempts, and the queue
keeps it.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

import structlog

from common import metrics
from workers.answers import AwayError, TransientError

FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 30.0
"""Between two probes of a downstream that is away, doubled each time: soon back after a restart, no burden later."""

TRUSTED_SECONDS = 0.5
"""After a probe that was answered: no other one earlier, however many requests fail meanwhile."""

MANY_DEVICES = 10
"""So many devices failing one after another, and none that succeeds, is no longer a matter of single devices."""

TRIAL_SUCCESSES = 50
"""After an outage so many requests have to succeed, one at a time, before several are let through again: where one of
them took the downstream away, the next time it is alone, and no other pays an attempt for it."""

Probe = Callable[[], Awaitable[None]]
"""Asks the downstream whether it is there; raises :class:`workers.answers.TransientError` when it is not."""

log = structlog.get_logger()


class Breaker:
    """Open while the downstream is away. Whoever asks the downstream for something reports how that went."""

    def __init__(self, probe: Probe, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._probe = probe
        self._clock = clock
        self._opened = asyncio.Event()
        self._closed = asyncio.Event()
        self._closed.set()
        self._opened_at = 0.0
        self._failing: set[str] = set()
        self._pause = FIRST_PAUSE_SECONDS
        self._examination: asyncio.Task[None] | None = None
        self._has_verdict = asyncio.Event()
        self._trusted_until = 0.0
        self._trial_left = 0
        self._trial = asyncio.Lock()
        self.why_open: str | None = None
        """What was wrong when it was last asked; None while the breaker is closed."""
        self.is_away = False
        """Whether the downstream did not even answer the probe, so that a failure says nothing about any uplink."""

    @property
    def is_open(self) -> bool:
        """Whether requests had better wait."""
        return self._opened.is_set()

    def note_success(self) -> None:
        """Hear of an answer that the downstream understood, whether it said yes or no."""
        if self._failing:
            self._failing.clear()
        if not self.is_open:
            self._pause = FIRST_PAUSE_SECONDS
            self._trial_left = max(0, self._trial_left - 1)

    def note_failure(self, about: str) -> None:
        """Hear of a request that failed; ``about`` tells one device from another."""
        if len(self._failing) < MANY_DEVICES:
            self._failing.add(about)
        self.suspect()

    def suspect(self) -> None:
        """Have the downstream asked, unless it was just now: something failed that is about no device."""
        is_running = self._examination is not None and not self._examination.done()
        if not is_running and self._clock() >= self._trusted_until:
            self._has_verdict.clear()
            self._examination = asyncio.create_task(self._examine())

    async def find_away(self) -> bool:
        """Say whether the downstream as a whole was away when a request failed just now; waits for the probe."""
        if self._examination is not None and not self._examination.done():
            await self._has_verdict.wait()
        return self.is_away

    async def stop(self) -> None:
        """Ask no more."""
        if self._examination is not None:
            self._examination.cancel()
            await asyncio.wait({self._examination})

    def admission(self) -> AbstractAsyncContextManager[None]:
        """Let a request through: at once, or one at a time after an outage.

        Raises :class:`AwayError` where the breaker has opened since the request set out.
        """
        if self._trial_left:
            return self._admission_on_trial()
        self._refuse_if_open()
        return nullcontext()

    @asynccontextmanager
    async def _admission_on_trial(self) -> AsyncIterator[None]:
        async with self._trial:
            if self._trial_left:
                self._refuse_if_open()
                yield
                return
        self._refuse_if_open()
        yield

    async def wait_open(self) -> None:
        """Return when the breaker is open."""
        await self._opened.wait()

    async def wait_closed(self, patience: float | None = None) -> None:
        """Return when the breaker is closed; :class:`AwayError` once it has been open for ``patience`` seconds."""
        if not self.is_open:
            return
        if patience is None:
            await self._closed.wait()
            return
        try:
            async with asyncio.timeout(max(0.0, self._opened_at + patience - self._clock())):
                await self._closed.wait()
        except TimeoutError:
            raise self._describe() from None

    def _refuse_if_open(self) -> None:
        if self.is_open:
            raise self._describe()

    def _describe(self) -> AwayError:
        return AwayError(f"the downstream is away: {self.why_open}")

    async def _examine(self) -> None:
        """Find out whom a failure is about; when that is the downstream, ask until it is back."""
        why = await self._ask()
        if why is None and len(self._failing) >= MANY_DEVICES:
            why = f"it answers, but requests for {len(self._failing)} devices in a row failed"
        while why is not None:
            self._open(why)
            self._has_verdict.set()
            await asyncio.sleep(self._take_pause())
            why = await self._ask()
        self._trusted_until = self._clock() + TRUSTED_SECONDS
        self._close()
        self._has_verdict.set()

    async def _ask(self) -> str | None:
        """Give what is wrong with the downstream as a whole, or None."""
        try:
            await self._probe()
        except TransientError as error:
            self.is_away = True
            return str(error)
        except Exception as error:  # a bug must not leave everybody waiting for an answer
            log.exception("probe.broken")
            self.is_away = True
            return f"{type(error).__name__} in the probe itself"
        self.is_away = False
        return None

    def _take_pause(self) -> float:
        pause, self._pause = self._pause, min(2 * self._pause, LONGEST_PAUSE_SECONDS)
        return pause

    def _open(self, why: str) -> None:
        self.why_open = why
        if self.is_open:
            return
        self._opened_at = self._clock()
        self._closed.clear()
        self._opened.set()
        metrics.BREAKER_OPEN.set(1)
        log.warning("breaker.opened", why=why)

    def _close(self) -> None:
        if not self.is_open:
            return
        self.why_open = None
        self._trial_left = TRIAL_SUCCESSES
        self._failing.clear()
        self._opened.clear()
        self._closed.set()
        metrics.BREAKER_OPEN.set(0)
        log.info("breaker.closed", seconds=round(self._clock() - self._opened_at, 1))
