"""The gate: when the queue does not confirm in time, waiting longer helps nobody.

While it is closed every request is answered 503, at once, until the queue has confirmed a probe.
"""

import asyncio
import time

import structlog

from common import metrics
from common.envelope import join_frame
from common.queue.protocol import Message, Queue, QueueUnavailableError
from ingest.refusal import RefusedError, build_unavailable
from ingest.retry_after import retry_after_absence

PROBE_PAUSE_SECONDS = 0.5
"""Between two probes of a queue that does not confirm."""

log = structlog.get_logger()


class Gate:
    """Closed at first, and whenever somebody closes it; :meth:`watch` opens it."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._closed = asyncio.Event()
        self._closed.set()
        self._closed_since = time.monotonic()
        self.closed_because: str | None = "the queue has not confirmed anything yet"
        """Why requests are refused at the moment; None: the gate is open."""
        self.first_confirm = asyncio.Event()
        """Set for good once the queue has confirmed a probe."""

    def close(self, why: str) -> None:
        """Have every request refused from now on."""
        if self.closed_because is None:
            log.warning("gate.closed", why=why)
            self._closed_since = time.monotonic()
        self.closed_because = why
        self._closed.set()
        metrics.GATE_CLOSED.set(1)

    def build_refusal(self) -> RefusedError:
        """Give what a request is refused with while the gate is closed."""
        return build_unavailable(str(self.closed_because), retry_after_absence(time.monotonic() - self._closed_since))

    async def watch(self) -> None:
        """Probe the queue while the gate is closed; runs until cancelled."""
        while True:
            await self._closed.wait()
            try:
                await self._queue.publish(Message(join_frame(()), uplinks=0))
            except QueueUnavailableError as error:
                self.closed_because = str(error)
                await asyncio.sleep(PROBE_PAUSE_SECONDS)
            except Exception:
                log.exception("probe.broken")
                await asyncio.sleep(PROBE_PAUSE_SECONDS)
            else:
                self._open()

    def _open(self) -> None:
        self.first_confirm.set()
        self.closed_because = None
        self._closed.clear()
        metrics.GATE_CLOSED.set(0)
        log.info("gate.opened")
