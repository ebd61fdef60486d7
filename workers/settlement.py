"""The last step, and the only place that settles: outcomes become what remains of a delivery, and are counted."""

from collections.abc import Sequence
from datetime import UTC, datetime

import structlog

from common import metrics
from common.dead_letter import DeadLetter
from common.envelope import Envelope
from common.ladder import Ladder
from common.logs import LogBudget
from common.queue.protocol import Delivery, MessageTooLargeError, QueueUnavailableError, Remainder
from common.reason import Reason
from workers.events import NOBODY_HEARS, WorkerEvents
from workers.outcome import Outcome
from workers.remainder import (
    Decision,
    cut_letters,
    decide,
    plan_burial,
    plan_remainder,
    plan_split,
    plan_unreadable,
    plan_unsupported,
)

log = structlog.get_logger()


class Settlement:
    """Gives each delivery its one final answer. Each method returns when the delivery is settled."""

    def __init__(self, ladder: Ladder, events: WorkerEvents = NOBODY_HEARS) -> None:
        self._ladder = ladder
        self._events = events
        self._log_budget = LogBudget()

    async def settle(self, delivery: Delivery, outcomes: Sequence[Outcome]) -> None:
        """Settle a frame that was processed, each uplink by its own outcome."""
        now = datetime.now(UTC)
        decision = decide(outcomes, self._ladder, now)
        if await self._finish(delivery, plan_remainder(decision, now)):
            self._note_decision(delivery, decision)
            self._events.settled(decision)

    async def split(self, delivery: Delivery, envelopes: Sequence[Envelope]) -> None:
        """Replace a frame that has probably killed workers by a suspect for each uplink."""
        if await self._finish(delivery, plan_split(envelopes, datetime.now(UTC))):
            log.warning(
                "delivery.split", message_id=delivery.message_id, count=delivery.count, uplinks=delivery.message.uplinks
            )

    async def bury_poison(self, delivery: Delivery, envelopes: Sequence[Envelope]) -> None:
        """Dead-letter what kills workers, or what the engine gave up after too many deliveries."""
        detail = (
            "it came back too often without being settled, as when it kills the worker:"
            f" delivery {delivery.count} in its last queue"
        )
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
        if (suppressed := self._log_budget.admit(letter.reason)) is not None:
            log.warning(
                "uplink.dead_lettered",
                uplink_id=letter.uplink_id,
                key=letter.envelope and letter.envelope.key_id,
                reason=letter.reason,
                detail=letter.detail,
                attempts=letter.attempts,
                suppressed=suppressed,
            )

    def _note_decision(self, delivery: Delivery, decision: Decision) -> None:
        """Count and log what became of the uplinks; the dead are counted with their letters."""
        now = datetime.now(UTC)
        for delivered in decision.delivered:
            metrics.DELIVERY_SECONDS.observe((now - delivered.uplink.envelope.arrived_at).total_seconds())
        metrics.UPLINKS_DELIVERED.inc(len(decision.delivered))
        metrics.UPLINKS_SET_ASIDE.inc(len(decision.set_aside))
        for later, _ in decision.retried:
            metrics.UPLINKS_RETRIED.labels(later.reason).inc()
        for back in decision.put_back:
            metrics.UPLINKS_PUT_BACK.labels(back.reason).inc()
        if any(decision) and (suppressed := self._log_budget.admit("delivery.settled")) is not None:
            log.info(
                "delivery.settled",
                message_id=delivery.message_id,
                attempt=delivery.message.attempt,
                delivered=len(decision.delivered),
                set_aside=len(decision.set_aside),
                retry_later=len(decision.retried),
                put_back=len(decision.put_back),
                dead_lettered=len(decision.dead),
                suppressed=suppressed,
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
