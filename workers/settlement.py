"""The last step, and the only place that settles: outcomes become acks, retries and dead letters.

What remains of a delivery is published first, and the delivery acked then: a crash in between makes a duplicate, never
a loss.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import assert_never

import structlog
from tenacity import AsyncRetrying, retry_if_exception_type, wait_random_exponential

from common import metrics
from common.dead_letter import DeadLetter
from common.envelope import Envelope
from common.ladder import Ladder
from common.logs import LogBudget
from common.queue.protocol import Delivery, MessageTooLargeError, Queue, QueueUnavailableError
from common.reason import Reason
from workers.outcome import DeadLettered, Delivered, Outcome, RetryLater, SetAside
from workers.remainder import (
    Remainder,
    cut_letter,
    plan_burial,
    plan_remainder,
    plan_split,
    plan_unreadable,
    plan_unsupported,
)

LONGEST_PAUSE_SECONDS = 2.0
"""Between two tries to put the remainder into a queue that does not take it."""

log = structlog.get_logger()


class Settlement:
    """Gives each delivery its one final answer. Each method returns when the delivery is settled."""

    def __init__(self, queue: Queue, ladder: Ladder) -> None:
        self._queue = queue
        self._ladder = ladder
        self._log_budget = LogBudget()

    async def settle(self, delivery: Delivery, outcomes: Sequence[Outcome]) -> None:
        """Settle a frame that was processed, each uplink by its own outcome."""
        remainder = plan_remainder(outcomes, self._ladder, datetime.now(UTC))
        await self._finish(delivery, remainder)
        self._note_outcomes(delivery, outcomes, {letter.uplink_id for letter in remainder.letters})

    async def split(self, delivery: Delivery, envelopes: Sequence[Envelope]) -> None:
        """Replace a frame that has probably killed workers by a suspect for each uplink."""
        await self._finish(delivery, plan_split(envelopes, datetime.now(UTC)))
        log.warning(
            "delivery.split", message_id=delivery.message_id, count=delivery.count, uplinks=delivery.message.uplinks
        )

    async def bury_poison(self, delivery: Delivery, envelopes: Sequence[Envelope]) -> None:
        """Dead-letter what kills workers, or what the engine gave up after too many deliveries."""
        detail = f"a worker died each time while it was processed, {delivery.count - 1} times in its last queue"
        await self._finish(delivery, plan_burial(envelopes, Reason.INTERNAL_ERROR, detail, datetime.now(UTC)))

    async def bury_unreadable(self, delivery: Delivery, detail: str) -> None:
        """Dead-letter a message that is no frame, as it is."""
        plan = plan_unreadable(delivery, Reason.ENVELOPE_UNSUPPORTED, detail, datetime.now(UTC))
        await self._finish(delivery, plan)

    async def put_off(self, delivery: Delivery, detail: str) -> None:
        """Send a frame of a version that this worker does not read up the ladder."""
        await self._finish(delivery, plan_unsupported(delivery, detail, self._ladder, datetime.now(UTC)))
        log.warning("delivery.put_off", message_id=delivery.message_id, detail=detail)

    async def _finish(self, delivery: Delivery, remainder: Remainder) -> None:
        try:
            if not delivery.is_lost:
                await self._make_durable(delivery, remainder)
            await delivery.ack()
        except QueueUnavailableError as error:  # it will come again, and what was delivered is delivered twice
            log.warning("delivery.lost", message_id=delivery.message_id, why=str(error))
            return
        for letter in remainder.letters:
            self._note_letter(letter)

    async def _make_durable(self, delivery: Delivery, remainder: Remainder) -> None:
        """Publish until the queue has everything, or until the delivery is lost: then it comes again as a whole."""
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(QueueUnavailableError),
            stop=lambda _: delivery.is_lost,
            reraise=True,
            wait=wait_random_exponential(multiplier=0.1, max=LONGEST_PAUSE_SECONDS),
        )
        if remainder.letters:
            try:
                await retrying(self._queue.bury, remainder.letters)
            except (MessageTooLargeError, TypeError):  # no frame of ours: somebody published it by hand
                log.exception("letter.cut", message_id=delivery.message_id)
                await retrying(self._queue.bury, [cut_letter(letter, delivery) for letter in remainder.letters])
        for message in remainder.suspects:
            await retrying(self._queue.publish_suspect, message)
        for message, delay in remainder.later:
            await retrying(self._queue.publish_later, message, delay)

    def _note_letter(self, letter: DeadLetter) -> None:
        metrics.UPLINKS_DEAD.labels(letter.reason).inc()
        if self._log_budget.allows(letter.reason):
            log.warning(
                "uplink.dead_lettered",
                uplink_id=letter.uplink_id,
                key=letter.envelope and letter.envelope.key_id,
                reason=letter.reason,
                detail=letter.detail,
                attempts=letter.attempts,
                suppressed=self._log_budget.take_suppressed(letter.reason),
            )

    def _note_outcomes(self, delivery: Delivery, outcomes: Sequence[Outcome], dead: Collection[str]) -> None:
        now = datetime.now(UTC)
        counts: Counter[str] = Counter()
        for outcome in outcomes:
            counts[type(outcome).__name__] += 1
            match outcome:
                case Delivered(uplink=uplink):
                    metrics.UPLINKS_DELIVERED.inc()
                    metrics.DELIVERY_SECONDS.observe((now - uplink.envelope.arrived_at).total_seconds())
                case SetAside():
                    metrics.UPLINKS_SET_ASIDE.inc()
                case RetryLater(uplink=uplink, reason=reason) if uplink.id not in dead:
                    metrics.UPLINKS_RETRIED.labels(reason).inc()
                case RetryLater() | DeadLettered():
                    pass  # counted with its letter
                case _:
                    assert_never(outcome)
        if outcomes and self._log_budget.allows("delivery.settled"):
            log.info(
                "delivery.settled",
                message_id=delivery.message_id,
                attempt=delivery.message.attempt,
                delivered=counts["Delivered"],
                set_aside=counts["SetAside"],
                retry_later=counts["RetryLater"],
                dead_lettered=counts["DeadLettered"],
                suppressed=self._log_budget.take_suppressed("delivery.settled"),
            )
