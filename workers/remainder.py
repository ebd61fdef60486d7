"""What becomes of each uplink of a delivery, and what remains of it: messages for the ladder, dead letters. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple, assert_never

from common.dead_letter import DeadLetter
from common.envelope import Envelope, Uplink, encode_frame
from common.ladder import Ladder
from common.queue.protocol import Delivery, Message, Remainder
from common.reason import Reason
from workers.outcome import DeadLettered, Delivered, Outcome, PutBack, RetryLater, SetAside

KEPT_BYTES = 8_000_000
"""Of a message that nobody can read: a letter holds it in base64, and has to fit into a message itself."""

CUT_BYTES = 10_000
"""Enough to recognise what it was; there is one for each uplink of the frame."""

SHARE_OF_AGE = 1 / 20
"""Of an uplink's age, it waits so much at least where that costs no attempt: else all that wait for a profile's turn
would come back every 30 s for days, and keep the workers from everybody else's."""

INTERNAL_ERROR_ATTEMPTS = 3
"""A bug seldom heals by waiting; two more attempts cover the one that does."""

SAYS_ENOUGH = frozenset({Reason.INTERNAL_ERROR, Reason.KEY_UNKNOWN, Reason.ENVELOPE_UNSUPPORTED})
"""When the attempts are used up these stay the reason; of any other, ``attempts_exhausted`` keeps it in the detail."""


class Decision(NamedTuple):
    """What becomes of each uplink of a delivery. What was to be tried again and is out of attempts is dead."""

    delivered: list[Delivered]
    set_aside: list[SetAside]
    retried: list[tuple[RetryLater, timedelta]]
    """Each with how long it waits."""
    put_back: list[PutBack]
    dead: list[DeadLettered]


def decide(outcomes: Iterable[Outcome], ladder: Ladder, now: datetime) -> Decision:
    """Decide what becomes of each uplink of a delivery."""
    decision = Decision([], [], [], [], [])
    for outcome in outcomes:
        match outcome:
            case Delivered():
                decision.delivered.append(outcome)
            case SetAside():
                decision.set_aside.append(outcome)
            case DeadLettered():
                decision.dead.append(outcome)
            case RetryLater() | PutBack() if _is_exhausted(outcome, ladder):
                decision.dead.append(_give_up(outcome))
            case RetryLater():
                decision.retried.append((outcome, _choose_delay(outcome, ladder, now)))
            case PutBack():
                decision.put_back.append(outcome)
            case _:
                assert_never(outcome)
    return decision


def plan_remainder(decision: Decision, now: datetime) -> Remainder:
    """Write what was decided as messages and letters."""
    return Remainder(
        letters=[_write_letter(dead, now) for dead in decision.dead],
        later=_build_later(decision.retried, now),
        put_back=[_build_put_back(decision.put_back, now)] if decision.put_back else [],
        delivered=len(decision.delivered),
        set_aside=len(decision.set_aside),
    )


def plan_split(envelopes: Iterable[Envelope], now: datetime) -> Remainder:
    """Give every uplink a message of its own among the suspects, to be tried one at a time."""
    uplinks = [uplink for envelope in envelopes for uplink in envelope.uplinks()]
    return Remainder(suspects=[_build_message([uplink], uplink.envelope.attempt, now) for uplink in uplinks])


def plan_burial(envelopes: Iterable[Envelope], reason: Reason, detail: str, now: datetime) -> Remainder:
    """Give every uplink of a frame its letter."""
    uplinks = [uplink for envelope in envelopes for uplink in envelope.uplinks()]
    return Remainder(letters=[_write_letter(DeadLettered(uplink, reason, detail), now) for uplink in uplinks])


def plan_unreadable(delivery: Delivery, reason: Reason, detail: str, now: datetime) -> Remainder:
    """Give one letter for a whole frame whose uplinks nobody can see."""
    body = delivery.message.body
    if len(body) > KEPT_BYTES:
        detail = f"{detail}; the letter keeps {KEPT_BYTES} of its {len(body)} bytes"
    letter = DeadLetter(
        uplink_id=f"frame/{delivery.message_id}",
        reason=reason,
        detail=detail,
        attempts=delivery.message.attempt,
        first_seen=now,
        died_at=now,
        frame=body[:KEPT_BYTES],
        uplinks=delivery.message.uplinks,
    )
    return Remainder(letters=[letter])


def cut_letters(remainder: Remainder, delivery: Delivery) -> Remainder:
    """Give letters for uplinks that no letter can hold: in their place, the beginning of the frame they came in."""
    beginning = delivery.message.body[:CUT_BYTES]
    letters = [replace(letter, envelope=None, frame=beginning) for letter in remainder.letters]
    return replace(remainder, letters=letters)


def plan_unsupported(delivery: Delivery, detail: str, ladder: Ladder, now: datetime) -> Remainder:
    """Send a frame of another version up the ladder as it is: a newer worker may be on its way."""
    message = delivery.message
    if ladder.is_exhausted(message.attempt):
        return plan_unreadable(delivery, Reason.ENVELOPE_UNSUPPORTED, detail, now)
    return Remainder(later=[(replace(message, attempt=message.attempt + 1), ladder.delay_after(message.attempt))])


def _is_exhausted(outcome: RetryLater | PutBack, ladder: Ladder) -> bool:
    attempt = outcome.uplink.envelope.attempt
    if outcome.reason is Reason.INTERNAL_ERROR and attempt >= INTERNAL_ERROR_ATTEMPTS:
        return True
    return outcome.counts and ladder.is_exhausted(attempt)


def _next_attempt(outcome: RetryLater | PutBack) -> int:
    return outcome.uplink.envelope.attempt + (1 if outcome.counts else 0)


def _give_up(outcome: RetryLater | PutBack) -> DeadLettered:
    if outcome.reason in SAYS_ENOUGH:
        return DeadLettered(outcome.uplink, outcome.reason, outcome.detail)
    detail = f"{outcome.uplink.envelope.attempt} attempts; the last: {outcome.reason}: {outcome.detail}"
    return DeadLettered(outcome.uplink, Reason.ATTEMPTS_EXHAUSTED, detail)


def _choose_delay(outcome: RetryLater, ladder: Ladder, now: datetime) -> timedelta:
    """A wait that was asked for makes the ladder's step longer, never shorter: the budget has to last its day."""
    envelope = outcome.uplink.envelope
    step = ladder.delay_after(envelope.attempt)
    wait = outcome.wait or timedelta(0)
    if not outcome.counts and envelope.first_seen is not None:
        wait = max(wait, (now - envelope.first_seen) * SHARE_OF_AGE)
    return max(step, ladder.step_for(wait))


def _build_later(retried: Iterable[tuple[RetryLater, timedelta]], now: datetime) -> list[tuple[Message, timedelta]]:
    """Make one frame of what waits equally long for the same attempt."""
    waiting: dict[tuple[timedelta, int], list[Uplink]] = defaultdict(list)
    for outcome, delay in retried:
        waiting[delay, _next_attempt(outcome)].append(outcome.uplink)
    return [(_build_message(uplinks, attempt, now), delay) for (delay, attempt), uplinks in waiting.items()]


def _build_message(uplinks: Sequence[Uplink], attempt: int, now: datetime) -> Message:
    """Make one frame of uplinks, those of one request in one envelope, for the given attempt."""
    by_request: dict[int, list[Uplink]] = defaultdict(list)
    for uplink in uplinks:  # by identity: a request that was repeated under one Idempotency-Key has the same group
        by_request[id(uplink.envelope)].append(uplink)
    envelopes = [_shrink_envelope(members, attempt, now) for members in by_request.values()]
    return Message(encode_frame(envelopes), len(uplinks), attempt)


def _build_put_back(outcomes: Sequence[PutBack], now: datetime) -> Message:
    """Make one frame of all of them, whatever their attempts: it takes one place, and their order stays."""
    members: dict[tuple[int, int], list[Uplink]] = defaultdict(list)
    for outcome in outcomes:
        members[id(outcome.uplink.envelope), _next_attempt(outcome)].append(outcome.uplink)
    envelopes = [_shrink_envelope(uplinks, attempt, now) for (_, attempt), uplinks in members.items()]
    return Message(encode_frame(envelopes), len(outcomes), max(envelope.attempt for envelope in envelopes))


def _shrink_envelope(uplinks: Sequence[Uplink], attempt: int, now: datetime) -> Envelope:
    """Give the envelope of these uplinks without those that are done with, in the order in which they came."""
    envelope = uplinks[0].envelope
    items = sorted(((uplink.index, uplink.item) for uplink in uplinks), key=lambda item: item[0])
    return replace(envelope, items=items, attempt=attempt, first_seen=envelope.first_seen or now)


def _write_letter(dead: DeadLettered, now: datetime) -> DeadLetter:
    attempt = dead.uplink.envelope.attempt
    envelope = _shrink_envelope([dead.uplink], attempt, now)
    return DeadLetter(
        uplink_id=dead.uplink.id,
        reason=dead.reason,
        detail=dead.detail,
        attempts=attempt,
        first_seen=envelope.first_seen or now,
        died_at=now,
        envelope=envelope,
    )
