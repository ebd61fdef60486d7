"""What remains of a delivery once its outcomes are known: messages for the ladder, and dead letters. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never

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

INTERNAL_ERROR_ATTEMPTS = 3
"""A bug seldom heals by waiting; two more attempts cover the one that does."""

SAYS_ENOUGH = frozenset({Reason.INTERNAL_ERROR, Reason.KEY_UNKNOWN, Reason.ENVELOPE_UNSUPPORTED})
"""When the attempts are used up these stay the reason; of any other, ``attempts_exhausted`` keeps it in the detail."""


def plan_remainder(outcomes: Iterable[Outcome], ladder: Ladder, now: datetime) -> Remainder:
    """Decide what becomes of each uplink of a delivery."""
    letters: list[DeadLetter] = []
    waiting: dict[tuple[timedelta, int], list[Uplink]] = defaultdict(list)
    put_back: list[PutBack] = []
    delivered = set_aside = 0
    for outcome in outcomes:
        match outcome:
            case Delivered():
                delivered += 1
            case SetAside():
                set_aside += 1
            case DeadLettered(uplink=uplink, reason=reason, detail=detail):
                letters.append(_write_letter(uplink, reason, detail, now))
            case RetryLater() | PutBack() if _is_exhausted(outcome, ladder):
                letters.append(_write_last_letter(outcome, now))
            case RetryLater(uplink=uplink):
                waiting[choose_delay(outcome, ladder), _next_attempt(outcome)].append(uplink)
            case PutBack():
                put_back.append(outcome)
            case _:
                assert_never(outcome)
    return Remainder(
        letters=letters,
        later=[(_build_message(uplinks, attempt, now), delay) for (delay, attempt), uplinks in waiting.items()],
        put_back=[_build_put_back(put_back, now)] if put_back else [],
        delivered=delivered,
        set_aside=set_aside,
    )


def plan_split(envelopes: Iterable[Envelope], now: datetime) -> Remainder:
    """Give every uplink a message of its own among the suspects, to be tried one at a time."""
    uplinks = [uplink for envelope in envelopes for uplink in envelope.uplinks()]
    return Remainder(suspects=[_build_message([uplink], uplink.envelope.attempt, now) for uplink in uplinks])


def plan_burial(envelopes: Iterable[Envelope], reason: Reason, detail: str, now: datetime) -> Remainder:
    """Give every uplink of a frame its letter."""
    uplinks = [uplink for envelope in envelopes for uplink in envelope.uplinks()]
    return Remainder(letters=[_write_letter(uplink, reason, detail, now) for uplink in uplinks])


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


def choose_delay(outcome: RetryLater, ladder: Ladder) -> timedelta:
    """A wait that was asked for makes the ladder's step longer, never shorter: the budget has to last its day."""
    step = ladder.delay_after(outcome.uplink.envelope.attempt)
    return step if outcome.wait is None else max(step, ladder.step_for(outcome.wait))


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


def _write_last_letter(outcome: RetryLater | PutBack, now: datetime) -> DeadLetter:
    if outcome.reason in SAYS_ENOUGH:
        return _write_letter(outcome.uplink, outcome.reason, outcome.detail, now)
    attempts = outcome.uplink.envelope.attempt
    detail = f"{attempts} attempts; the last: {outcome.reason}: {outcome.detail}"
    return _write_letter(outcome.uplink, Reason.ATTEMPTS_EXHAUSTED, detail, now)


def _write_letter(uplink: Uplink, reason: Reason, detail: str, now: datetime) -> DeadLetter:
    attempt = uplink.envelope.attempt
    envelope = _shrink_envelope([uplink], attempt, now)
    return DeadLetter(
        uplink_id=uplink.id,
        reason=reason,
        detail=detail,
        attempts=attempt,
        first_seen=envelope.first_seen or now,
        died_at=now,
        envelope=envelope,
    )
