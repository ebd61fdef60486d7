"""The last step, and the only place that settles: outcomes become what remains of a delivery, and are counted."""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import assert_never

import structlog

from common import metrics
from common.dead_letter import DeadLetter
from common.envelope import Envelope
from common.ladder import Ladder
from common.logs import LogBudget
from common.queue.protocol import Delivery, MessageTooLargeError, QueueUnavailableError, Remainder
from common.reason import Reason
from workers.events import NOBODY_HEARS, WorkerEvents
from workers.outcome import DeadLettered, Delivered, Outcome, PutBack, RetryLater, SetAside
from workers.remainder import cut_letters, plan_burial, plan_remainder, plan_split, plan_unreadable, plan_unsupported

log = structlog.get_logger()


class Settlement:
    """Gives each delivery its one final answer. Each method returns when the delivery is settled."""

    def __init__(self, ladder: Ladder, events: WorkerEvents = NOBODY_HEARS) -> None:
        self._ladder = ladder
        self._events = events
        self._log_budget = LogBudget()

    async def settle(self, delivery: Delivery, outcomes: Sequence[Outcome]) -> None:
        """Settle a frame that was processed, each uplink by its own outcome."""
        remainder = plan_remainder(outcomes, self._ladder, datetime.now(UTC))
        if await self._finish(delivery, remainder):
            dead = {letter.uplink_id for letter in remainder.letters}
            self._note_outcomes(delivery, outcomes, dead)
            self._events.settled(outcomes, dead, self._ladder)

    async def split(self, delivery: Delivery, envelopes: Sequence[Envelope]) -> None:
        """Replace a frame that has probably killed workers by a suspect for each uplink."""
        if await self._finish(delivery, plan_split(envelopes, datetime.now(UTC))):
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
        if await self._finish(delivery, plan_unsupported(delivery, detail, self._ladder, datetime.now(UTC))):
            log.warning("delivery.put_off", message_id=delivery.message_id, detail=detail)

    async def _finish(self, delivery: Delivery, remainder: Remainder) -> bool:
        """Settle the delivery; False: it was lost and will come again, so nothing became of its uplinks yet."""
        try:
            await _settle_somehow(delivery, remainder)
        except QueueUnavailableError as error:
            log.warning("delivery.lost", message_id=delivery.message_id, why=str(error))
            return False
        for letter in remainder.letters:
            self._note_letter(letter)
            self._events.died(letter)
        return True

    def _note_letter(self, letter: DeadLetter) -> None:
        metrics.UPLINKS_DEAD.labels(letter.reason).inc(letter.uplinks)
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
                    metrics.DELIVERY_SECONDS.observe((now - uplink.envelope.arrived_at).total_seconds())
                case SetAside():
                    pass
                case RetryLater(uplink=uplink, reason=reason) if uplink.id not in dead:
                    metrics.UPLINKS_RETRIED.labels(reason).inc()
                case PutBack(uplink=uplink, reason=reason) if uplink.id not in dead:
                    metrics.UPLINKS_PUT_BACK.labels(reason).inc()
                case RetryLater() | PutBack() | DeadLettered():
                    pass  # counted with its letter
                case _:
                    assert_never(outcome)
        metrics.UPLINKS_DELIVERED.inc(counts["Delivered"])
        metrics.UPLINKS_SET_ASIDE.inc(counts["SetAside"])
        if outcomes and self._log_budget.allows("delivery.settled"):
            log.info(
                "delivery.settled",
                message_id=delivery.message_id,
                attempt=delivery.message.attempt,
                delivered=counts["Delivered"],
                set_aside=counts["SetAside"],
                retry_later=counts["RetryLater"],
                put_back=counts["PutBack"],
                dead_lettered=counts["DeadLettered"],
                suppressed=self._log_budget.take_suppressed("delivery.settled"),
            )


async def _settle_somehow(delivery: Delivery, remainder: Remainder) -> None:
    """Settle with letters that are cut, when one of them is more than the queue stores."""
    try:
        await delivery.settle(remainder)
    except (MessageTooLargeError, TypeError):  # no frame of ours: somebody published it by hand
        if not remainder.letters:
            raise
        log.exception("letter.cut", message_id=delivery.message_id)
        await delivery.settle(cut_letters(remainder, delivery))
