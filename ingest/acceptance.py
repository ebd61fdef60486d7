"""From a batch to a confirm: the requests that wait at the same moment share one frame.

One publish per request would cost four fifths of the throughput. So while some publishes are in flight, what arrives
meanwhile waits and leaves together as soon as one of them is confirmed; with thin traffic nothing is in flight, and a
request leaves at once.

The gate: when the queue does not confirm in time, waiting longer helps nobody. Everything that waits is answered
503, and so is every further request, at once, until a probe is confirmed.
"""

import asyncio
import time
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass

import structlog

from common import metrics
from common.envelope import encode_envelope, join_frame
from common.events.telling import UNHEARD, UplinkEvents
from common.queue.protocol import Message, MessageTooLargeError, Queue, QueueUnavailableError
from common.reason import Reason
from ingest.events import tell_accepted
from ingest.refusal import RefusedError
from ingest.request import UplinkBatch
from ingest.retry_after import ConfirmPace, retry_after_absence

FRAME_BYTES = 256_000
"""A frame stays well below what a broker likes in one message; a single request that is larger travels alone."""

FRAME_UPLINKS = 500
"""A frame is what a worker takes in hand, and what a killed worker may post twice."""

FRAME_REQUESTS = 64
"""Beyond this, sharing gains nothing more (docs/performance.md)."""

PUBLISHES_IN_FLIGHT = 2
"""One is confirmed while the next gathers requests; more make smaller frames (docs/performance.md)."""

PROBE_PAUSE_SECONDS = 0.5
"""Between two probes of a queue that does not confirm."""

DEPTH_INTERVAL_SECONDS = 1.0
"""How often the work queue's depth is compared with the limit."""

FULL_RETRY_AFTER_SECONDS = 30
"""A backlog of the limit's size takes minutes at least."""

WAITING_BYTES = 64_000_000
"""Of requests that wait for a confirm, whatever their number."""

log = structlog.get_logger()


@dataclass(slots=True, eq=False)
class _Waiting:
    """One request on its way into the queue."""

    batch: UplinkBatch
    envelope: bytes
    since: float
    confirmed: asyncio.Future[None]

    @property
    def uplinks(self) -> int:
        return len(self.batch.items)


class Acceptance:
    """Puts batches into the queue. :meth:`watch` must run beside it."""

    def __init__(
        self,
        queue: Queue,
        *,
        confirm_timeout: float,
        waiting_limit: int,
        queue_limit: int,
        events: UplinkEvents = UNHEARD,
    ) -> None:
        self._queue = queue
        self._events = events
        self._unconfirmed_bytes = 0
        self._confirm_timeout = confirm_timeout
        self._waiting_limit = waiting_limit
        self._queue_limit = queue_limit
        self._waiting: deque[_Waiting] = deque()
        self._unconfirmed = 0
        self._publishing: set[asyncio.Task[None]] = set()
        self._flush_is_due = False
        self._pace = ConfirmPace(in_flight=PUBLISHES_IN_FLIGHT)
        self._closed_because: str | None = "the queue has not confirmed anything yet"
        self._closed_since = time.monotonic()
        self._gate_closed = asyncio.Event()
        self._gate_closed.set()
        self._queue_is_full = False
        self.first_confirm = asyncio.Event()
        """Set for good once the queue has confirmed anything."""

    @property
    def closed_because(self) -> str | None:
        """Why requests are refused at the moment, or None."""
        return self._closed_because

    def accept(self, batch: UplinkBatch) -> asyncio.Future[None]:
        """Give what is done when the queue has the batch durably.

        It fails with :class:`RefusedError` (503) after waiting for a free publish, and then for the confirm, each at
        most the confirm timeout; the batch may be in the queue all the same then. Raises the same at once for a batch
        that would only be in the way.
        """
        self.refuse_if_overloaded()
        waiting = _Waiting(
            batch=batch,
            envelope=encode_envelope(batch.to_envelope()),
            since=time.monotonic(),
            confirmed=asyncio.get_running_loop().create_future(),
        )
        self._waiting.append(waiting)
        self._unconfirmed += 1
        self._unconfirmed_bytes += len(waiting.envelope)
        self._flush_soon()
        return waiting.confirmed

    async def watch(self) -> None:
        """Probe the queue while the gate is closed, and compare its depth with the limit; runs until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._probe_while_closed())
            tasks.create_task(self._watch_depth())

    def refuse_if_overloaded(self) -> None:
        """Raise :class:`RefusedError` (503) when a request would only be in the way; ask before its body is read."""
        if self._closed_because is not None:
            raise self._away(self._closed_because)
        if self._queue_is_full:
            raise RefusedError(
                Reason.QUEUE_FULL,
                f"The queue is full: it holds more than {self._queue_limit} messages; send again later",
                headers={"Retry-After": str(FULL_RETRY_AFTER_SECONDS)},
            )
        if self._unconfirmed >= self._waiting_limit or self._unconfirmed_bytes >= WAITING_BYTES:
            raise self._overloaded(f"{self._unconfirmed} requests wait for the queue already")

    def _flush_soon(self) -> None:
        """Publish at the end of this turn of the loop, so that requests of the same turn share a frame."""
        if not self._flush_is_due and len(self._publishing) < PUBLISHES_IN_FLIGHT:
            self._flush_is_due = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_is_due = False
        self._drop_late()
        while self._waiting and len(self._publishing) < PUBLISHES_IN_FLIGHT:
            publishing = asyncio.create_task(self._publish(self._take_frame()))
            self._publishing.add(publishing)
            publishing.add_done_callback(self._finish_publish)

    def _finish_publish(self, publishing: asyncio.Task[None]) -> None:
        self._publishing.discard(publishing)
        self._flush()

    def _drop_late(self) -> None:
        """Refuse what has waited here for as long as a confirm may take: its sender would soon give up."""
        oldest = time.monotonic() - self._confirm_timeout
        while self._waiting and self._waiting[0].since < oldest:
            late = [self._waiting.popleft()]
            self._let_go(late)
            _fail(late, self._overloaded("too many requests are waiting for it"))

    def _take_frame(self) -> list[_Waiting]:
        """Take what waits, in order, up to the bounds of a frame; never nothing."""
        frame: list[_Waiting] = []
        size = uplinks = 0
        while self._waiting and len(frame) < FRAME_REQUESTS:
            head = self._waiting[0]
            size += len(head.envelope)
            uplinks += head.uplinks
            if frame and (size > FRAME_BYTES or uplinks > FRAME_UPLINKS):
                break
            frame.append(self._waiting.popleft())
        return frame

    async def _publish(self, frame: list[_Waiting]) -> None:
        message = Message(join_frame(waiting.envelope for waiting in frame), sum(waiting.uplinks for waiting in frame))
        began = time.monotonic()
        # The queue's own deadline is longer: it drops the connection. The sender is answered before that.
        why_late = f"the queue did not confirm within {self._confirm_timeout:g} s"
        late = asyncio.get_running_loop().call_later(self._confirm_timeout, self._close_gate, why_late, frame)
        try:
            await self._queue.publish(message)
        except QueueUnavailableError as error:
            self._close_gate(str(error), frame)
        except MessageTooLargeError as error:
            _fail(frame, RefusedError(Reason.BODY_TOO_LARGE, str(error)))
        except Exception:
            log.exception("frame.broken")
        else:
            self._note_confirm(len(frame), time.monotonic() - began)
            self._confirm(frame)
        finally:
            late.cancel()
            self._let_go(frame)
            if not all(waiting.confirmed.done() for waiting in frame):
                _fail(
                    frame, RefusedError(Reason.INTERNAL_ERROR, "Internal error: the request may not have been stored")
                )

    def _confirm(self, frame: list[_Waiting]) -> None:
        accepted = 0
        for waiting in frame:
            if waiting.confirmed.done():  # it was answered 503 meanwhile, or nobody waits for the answer any more
                metrics.UPLINKS_UNCONFIRMED.inc(waiting.uplinks)
                continue
            accepted += waiting.uplinks
            waiting.confirmed.set_result(None)
            if self._events.watched:
                tell_accepted(self._events, waiting.batch)
        metrics.UPLINKS_ACCEPTED.inc(accepted)

    def _let_go(self, ended: Collection[_Waiting]) -> None:
        """Count what neither waits nor is being published any more."""
        self._unconfirmed -= len(ended)
        self._unconfirmed_bytes -= sum(len(waiting.envelope) for waiting in ended)

    def _note_confirm(self, requests: int, seconds: float) -> None:
        metrics.FRAMES_PUBLISHED.inc()
        metrics.CONFIRM_SECONDS.observe(seconds)
        self._pace.note(requests=requests, seconds=seconds)

    def _close_gate(self, why: str, frame: list[_Waiting]) -> None:
        if self._closed_because is None:
            log.warning("gate.closed", why=why)
            self._closed_since = time.monotonic()
        self._closed_because = why
        self._gate_closed.set()
        metrics.GATE_CLOSED.set(1)
        self._let_go(self._waiting)
        _fail([*frame, *self._waiting], self._away(why))
        self._waiting.clear()

    def _open_gate(self) -> None:
        self.first_confirm.set()
        self._closed_because = None
        self._gate_closed.clear()
        metrics.GATE_CLOSED.set(0)
        log.info("gate.opened")

    async def _probe_while_closed(self) -> None:
        while True:
            await self._gate_closed.wait()
            try:
                await self._queue.publish(Message(join_frame(()), uplinks=0))
            except QueueUnavailableError as error:
                self._closed_because = str(error)
                await asyncio.sleep(PROBE_PAUSE_SECONDS)
            except Exception:
                log.exception("probe.broken")
                await asyncio.sleep(PROBE_PAUSE_SECONDS)
            else:
                self._open_gate()

    async def _watch_depth(self) -> None:
        while True:
            await asyncio.sleep(DEPTH_INTERVAL_SECONDS)
            metrics.REQUESTS_WAITING.set(self._unconfirmed)
            if self._queue_limit and self._closed_because is None:
                await self._compare_depth()

    def _away(self, why: str) -> RefusedError:
        return _unavailable(why, retry_after_absence(time.monotonic() - self._closed_since))

    def _overloaded(self, why: str) -> RefusedError:
        return _unavailable(why, self._pace.retry_after(self._unconfirmed))

    async def _compare_depth(self) -> None:
        try:
            depths = await self._queue.depths()
        except QueueUnavailableError:
            self._queue_is_full = False  # nobody knows; the next publish finds out, and closes the gate
            return
        is_full = depths.work > self._queue_limit
        if is_full != self._queue_is_full:
            log.warning("queue.filled" if is_full else "queue.drained", messages=depths.work, limit=self._queue_limit)
        self._queue_is_full = is_full


def _fail(frame: list[_Waiting], error: RefusedError) -> None:
    for waiting in frame:
        if not waiting.confirmed.done():
            waiting.confirmed.set_exception(error)


def _unavailable(why: str, retry_after: int) -> RefusedError:
    return RefusedError(
        Reason.QUEUE_UNAVAILABLE,
        f"The queue cannot take the request: {why}; send again later",
        headers={"Retry-After": str(retry_after)},
    )
