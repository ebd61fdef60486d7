"""From a batch to a confirm: the requests that wait at the same moment share one frame.

A prototype with one publish per request did 2,000 requests/s, and 8,700 with shared ones (docs/performance.md). So
while some publishes are in flight, what arrives meanwhile waits and leaves together as soon as one of them is
confirmed; with thin traffic nothing is in flight, and a request leaves at once.
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
from common.gathering import Gatherer
from common.queue.protocol import Message, MessageTooLargeError, Queue, QueueUnavailableError
from common.reason import Reason
from ingest.depth import DepthWatch
from ingest.events import tell_accepted
from ingest.gate import Gate
from ingest.refusal import RefusedError, build_unavailable
from ingest.request import UplinkBatch
from ingest.retry_after import ConfirmPace

FRAME_BYTES = 256_000
"""A frame stays well below what a broker likes in one message; a single request that is larger travels alone."""

FRAME_UPLINKS = 500
"""A frame is what a worker takes in hand, and what a killed worker may post twice."""

FRAME_REQUESTS = 64
"""So many share the cost of a publish that each one's part of it is small already."""

PUBLISHES_IN_FLIGHT = 2
"""One is confirmed while the next gathers requests; more make smaller frames (docs/performance.md)."""

WAITING_BYTES = 64_000_000
"""Of requests that wait for a confirm, whatever their number."""

log = structlog.get_logger()


@dataclass(slots=True, eq=False)
class _Waiting:
    """One request on its way into the queue; what was parsed is kept only where somebody is to be told of it."""

    uplinks: int
    envelope: bytes
    since: float
    confirmed: asyncio.Future[None]
    batch: UplinkBatch | None


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
        self._confirm_timeout = confirm_timeout
        self._waiting_limit = waiting_limit
        self.gate = Gate(queue)
        """Whether requests are refused, and why."""
        self._depth = DepthWatch(queue, self.gate, limit=queue_limit)
        self._gatherer = Gatherer(_take_frame, self._publish, in_flight=PUBLISHES_IN_FLIGHT)
        self._pace = ConfirmPace(in_flight=PUBLISHES_IN_FLIGHT)
        self._unconfirmed = 0
        self._unconfirmed_bytes = 0
        metrics.REQUESTS_WAITING.set_function(lambda: self._unconfirmed)

    async def watch(self) -> None:
        """Watch gate and depth; runs until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.gate.watch())
            tasks.create_task(self._depth.watch())

    def accept(self, batch: UplinkBatch) -> asyncio.Future[None]:
        """Give what is done when the queue has the batch durably.

        It fails with :class:`RefusedError` (503) after waiting for a free publish, and then for the confirm, each at
        most the confirm timeout; the batch may be in the queue all the same then. Raises the same at once for a batch
        that would only be in the way.
        """
        self.refuse_if_overloaded()
        waiting = _Waiting(
            uplinks=len(batch.items),
            envelope=encode_envelope(batch.to_envelope()),
            since=time.monotonic(),
            confirmed=asyncio.get_running_loop().create_future(),
            batch=batch if self._events.watched else None,
        )
        self._unconfirmed += 1
        self._unconfirmed_bytes += len(waiting.envelope)
        self._gatherer.add(waiting)
        return waiting.confirmed

    def refuse_if_overloaded(self) -> None:
        """Raise :class:`RefusedError` (503) when a request would only be in the way; ask before its body is read."""
        if self.gate.closed_because is not None:
            raise self.gate.build_refusal()
        if self._depth.is_full:
            raise self._depth.build_refusal()
        if self._unconfirmed >= self._waiting_limit or self._unconfirmed_bytes >= WAITING_BYTES:
            raise self._build_refusal(f"{self._unconfirmed} requests wait for the queue already")

    async def _publish(self, frame: list[_Waiting]) -> None:
        message = Message(join_frame(waiting.envelope for waiting in frame), sum(waiting.uplinks for waiting in frame))
        began = time.monotonic()
        # The queue's own deadline is longer: it drops the connection. The sender is answered before that.
        why_late = f"the queue did not confirm within {self._confirm_timeout:g} s"
        late = asyncio.get_running_loop().call_later(self._confirm_timeout, self._give_up, why_late, frame)
        try:
            await self._queue.publish(message)
        except QueueUnavailableError as error:
            self._give_up(str(error), frame)
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
            _fail(frame, RefusedError(Reason.INTERNAL_ERROR, "Internal error: the request may not have been stored"))
            self._drop_late()

    def _confirm(self, frame: list[_Waiting]) -> None:
        accepted = 0
        for waiting in frame:
            if waiting.confirmed.done():  # it was answered 503 meanwhile, or nobody waits for the answer any more
                metrics.UPLINKS_UNCONFIRMED.inc(waiting.uplinks)
                continue
            accepted += waiting.uplinks
            waiting.confirmed.set_result(None)
            if waiting.batch is not None:
                tell_accepted(self._events, waiting.batch)
        metrics.UPLINKS_ACCEPTED.inc(accepted)

    def _note_confirm(self, requests: int, seconds: float) -> None:
        metrics.FRAMES_PUBLISHED.inc()
        metrics.CONFIRM_SECONDS.observe(seconds)
        self._pace.note(requests=requests, seconds=seconds)

    def _give_up(self, why: str, frame: list[_Waiting]) -> None:
        """Close the gate, and refuse what waits behind the frame as well."""
        self.gate.close(why)
        behind = list(self._gatherer.waiting)
        self._gatherer.waiting.clear()
        self._let_go(behind)
        _fail([*frame, *behind], self.gate.build_refusal())

    def _drop_late(self) -> None:
        """Refuse what has waited for a publish for as long as a confirm may take: its sender would soon give up."""
        oldest = time.monotonic() - self._confirm_timeout
        waiting = self._gatherer.waiting
        while waiting and waiting[0].since < oldest:
            late = [waiting.popleft()]
            self._let_go(late)
            _fail(late, self._build_refusal("too many requests are waiting for it"))

    def _let_go(self, ended: Collection[_Waiting]) -> None:
        """Count what neither waits nor is being published any more."""
        self._unconfirmed -= len(ended)
        self._unconfirmed_bytes -= sum(len(waiting.envelope) for waiting in ended)

    def _build_refusal(self, why: str) -> RefusedError:
        return build_unavailable(why, self._pace.retry_after(self._unconfirmed))


def _take_frame(waiting: deque[_Waiting]) -> list[_Waiting]:
    """Take what waits, in order, up to the bounds of a frame; never nothing."""
    frame: list[_Waiting] = []
    size = uplinks = 0
    while waiting and len(frame) < FRAME_REQUESTS:
        head = waiting[0]
        size += len(head.envelope)
        uplinks += head.uplinks
        if frame and (size > FRAME_BYTES or uplinks > FRAME_UPLINKS):
            break
        frame.append(waiting.popleft())
    return frame


def _fail(frame: list[_Waiting], error: RefusedError) -> None:
    """Refuse those that have no answer yet."""
    for waiting in frame:
        if not waiting.confirmed.done():
            waiting.confirmed.set_exception(error)
