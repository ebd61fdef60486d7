from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from common.envelope import Envelope, decode_frame
from common.ladder import Ladder
from common.queue.protocol import Message, Remainder
from common.reason import Reason
from tests.support.queues import FakeDelivery
from tests.support.uplinks import build_envelope, build_uplinks
from workers.outcome import DeadLettered, Delivered, Outcome, PutBack, RetryLater, SetAside
from workers.remainder import (
    INTERNAL_ERROR_ATTEMPTS,
    decide,
    plan_burial,
    plan_remainder,
    plan_split,
    plan_unreadable,
    plan_unsupported,
)

NOW = datetime(2026, 11, 21, 2, tzinfo=UTC)
LADDER = Ladder(steps=(timedelta(seconds=5), timedelta(seconds=30), timedelta(seconds=120)), attempts=4)


def plan(*outcomes: Outcome) -> Remainder:
    return plan_remainder(decide(outcomes, LADDER, NOW), NOW)


def only_retry(remainder: Remainder) -> tuple[Message, timedelta, list[Envelope]]:
    ((message, delay),) = remainder.later
    return message, delay, decode_frame(message.body)


def test_what_is_out_of_attempts_is_decided_to_be_dead_and_the_rest_to_wait_its_time() -> None:
    (last,), (first,) = build_uplinks(1, attempt=4), build_uplinks(1)
    later = RetryLater(first, Reason.DOWNSTREAM_UNAVAILABLE, "503", timedelta(seconds=20))
    decision = decide([RetryLater(last, Reason.DOWNSTREAM_UNAVAILABLE, "503"), later], LADDER, NOW)
    assert [(dead.uplink, dead.reason) for dead in decision.dead] == [(last, Reason.ATTEMPTS_EXHAUSTED)]
    assert decision.retried == [(later, timedelta(seconds=30))]


def test_what_is_done_leaves_nothing_but_its_number() -> None:
    first, second, third = build_uplinks(3)
    assert plan(Delivered(first), SetAside(second), Delivered(third)) == Remainder([], (), [], [], 2, 1)


def test_what_is_put_back_untried_keeps_its_attempt_and_its_order() -> None:
    uplinks = build_uplinks(4, attempt=4)
    away = (Reason.DOWNSTREAM_UNAVAILABLE, "away")
    (message,) = plan(PutBack(uplinks[3], *away), Delivered(uplinks[1]), PutBack(uplinks[0], *away)).put_back
    (envelope,) = decode_frame(message.body)
    assert (message.uplinks, message.attempt, envelope.attempt) == (2, 4, 4)
    assert [index for index, _ in envelope.items] == [0, 3]


def test_what_is_put_back_takes_one_place_with_its_own_attempts_and_dies_with_its_last() -> None:
    tried, untried, last = (*build_uplinks(2, attempt=3), *build_uplinks(1, attempt=4))
    away = (Reason.DOWNSTREAM_UNAVAILABLE, "away")
    remainder = plan(PutBack(tried, *away, counts=True), PutBack(untried, *away), PutBack(last, *away, counts=True))
    (message,) = remainder.put_back
    assert [envelope.attempt for envelope in decode_frame(message.body)] == [4, 3]
    assert [(letter.uplink_id, letter.reason) for letter in remainder.letters] == [(last.id, Reason.ATTEMPTS_EXHAUSTED)]


def test_every_uplink_is_in_the_remainder_exactly_once() -> None:
    uplinks = build_uplinks(6)
    remainder = plan(
        Delivered(uplinks[0]),
        SetAside(uplinks[1]),
        DeadLettered(uplinks[2], Reason.SERIAL_UNKNOWN, ""),
        RetryLater(uplinks[3], Reason.DOWNSTREAM_UNAVAILABLE, ""),
        PutBack(uplinks[4], Reason.DOWNSTREAM_UNAVAILABLE, ""),
        PutBack(uplinks[5], Reason.DOWNSTREAM_UNAVAILABLE, "", counts=True),
    )
    moved = [*remainder.put_back, *remainder.suspects, *(message for message, _ in remainder.later)]
    stays = sum(message.uplinks for message in moved)
    assert remainder.delivered + remainder.set_aside + remainder.died + stays == len(uplinks)


def test_only_what_is_not_delivered_goes_up_the_ladder_in_one_envelope() -> None:
    uplinks = build_uplinks(4)
    remainder = plan(
        RetryLater(uplinks[3], Reason.DOWNSTREAM_UNAVAILABLE, "503"),
        Delivered(uplinks[0]),
        RetryLater(uplinks[1], Reason.RESOLVER_UNAVAILABLE, "503"),
        DeadLettered(uplinks[2], Reason.SERIAL_UNKNOWN, "no device"),
    )
    message, delay, (envelope,) = only_retry(remainder)
    assert (message.uplinks, message.attempt, delay) == (2, 2, timedelta(seconds=5))
    assert envelope.items == [(1, {"serial": "S1"}), (3, {"serial": "S3"})]
    assert (envelope.attempt, envelope.first_seen) == (2, NOW)
    assert (envelope.group, envelope.arrived_at) == (uplinks[0].envelope.group, uplinks[0].envelope.arrived_at)
    (letter,) = remainder.letters
    assert (letter.uplink_id, letter.reason, letter.detail) == (uplinks[2].id, Reason.SERIAL_UNKNOWN, "no device")
    assert (letter.attempts, letter.first_seen, letter.died_at) == (1, NOW, NOW)
    assert letter.envelope is not None
    assert letter.envelope.items == [(2, {"serial": "S2"})]


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 5), (2, 30), (3, 120)])
def test_each_attempt_waits_one_step_longer(attempt: int, seconds: int) -> None:
    (uplink,) = build_uplinks(1, attempt=attempt)
    message, delay, _ = only_retry(plan(RetryLater(uplink, Reason.DOWNSTREAM_UNAVAILABLE, "503")))
    assert (message.attempt, delay) == (attempt + 1, timedelta(seconds=seconds))


@pytest.mark.parametrize(("asked", "step"), [(0, 5), (8, 30), (30, 30), (31, 120), (9_999, 120)])
def test_a_wait_that_was_asked_for_is_rounded_up_to_a_step(asked: int, step: int) -> None:
    (uplink,) = build_uplinks(1)
    retry = RetryLater(uplink, Reason.DOWNSTREAM_THROTTLED, "429", wait=timedelta(seconds=asked))
    assert only_retry(plan(retry))[1] == timedelta(seconds=step)


@pytest.mark.parametrize(("hours", "counts", "step"), [(0, False, 30), (1, False, 120), (1, True, 30)])
def test_what_costs_no_attempt_waits_the_longer_the_older_it_is(hours: float, *, counts: bool, step: int) -> None:
    envelope = replace(build_envelope({"serial": "AA"}), first_seen=NOW - timedelta(hours=hours))
    (uplink,) = envelope.uplinks()
    wait = timedelta(seconds=20)
    retry = RetryLater(uplink, Reason.DOWNSTREAM_THROTTLED, "not its turn", wait, counts=counts)
    assert only_retry(plan(retry))[1] == timedelta(seconds=step)


def test_a_wait_that_was_asked_for_never_shortens_a_step() -> None:
    (uplink,) = build_uplinks(1, attempt=3)
    retry = RetryLater(uplink, Reason.DOWNSTREAM_UNAVAILABLE, "503", wait=timedelta(seconds=1))
    assert only_retry(plan(retry))[1] == timedelta(seconds=120)


def test_out_of_attempts_is_dead_with_the_last_reason() -> None:
    (uplink,) = build_uplinks(1, attempt=4)
    remainder = plan(RetryLater(uplink, Reason.DOWNSTREAM_UNAVAILABLE, "503: away"))
    assert remainder.later == []
    (letter,) = remainder.letters
    assert (letter.reason, letter.attempts) == (Reason.ATTEMPTS_EXHAUSTED, 4)
    assert "downstream_unavailable: 503: away" in letter.detail


@pytest.mark.parametrize("reason", [Reason.KEY_UNKNOWN, Reason.INTERNAL_ERROR])
def test_a_reason_that_says_enough_stays_when_the_attempts_are_used_up(reason: Reason) -> None:
    (uplink,) = build_uplinks(1, attempt=4)
    (letter,) = plan(RetryLater(uplink, reason, "detail")).letters
    assert (letter.reason, letter.detail) == (reason, "detail")


def test_a_bug_gets_two_more_attempts() -> None:
    for attempt in range(1, INTERNAL_ERROR_ATTEMPTS):
        assert plan(RetryLater(build_uplinks(1, attempt=attempt)[0], Reason.INTERNAL_ERROR, "bug")).letters == []
    (uplink,) = build_uplinks(1, attempt=INTERNAL_ERROR_ATTEMPTS)
    assert len(plan(RetryLater(uplink, Reason.INTERNAL_ERROR, "bug")).letters) == 1


def test_an_uplink_that_was_not_tried_keeps_its_attempt_and_travels_apart() -> None:
    tried, held = build_uplinks(2, attempt=4)
    remainder = plan(
        RetryLater(held, Reason.DOWNSTREAM_UNAVAILABLE, "not tried", counts=False),
        RetryLater(tried, Reason.DOWNSTREAM_UNAVAILABLE, "503"),
    )
    message, _, (envelope,) = only_retry(remainder)
    assert (message.attempt, envelope.attempt, envelope.items) == (4, 4, [(1, {"serial": "S1"})])
    assert [letter.uplink_id for letter in remainder.letters] == [tried.id]


def test_requests_of_one_frame_stay_apart_even_with_the_same_group() -> None:
    one, two = build_envelope({"serial": "A"}), build_envelope({"serial": "B"})
    remainder = plan(*(RetryLater(e.uplinks()[0], Reason.DOWNSTREAM_UNAVAILABLE, "503") for e in (one, two)))
    _, _, envelopes = only_retry(remainder)
    assert [envelope.items for envelope in envelopes] == [[(0, {"serial": "A"})], [(0, {"serial": "B"})]]


def test_a_split_gives_every_uplink_a_message_at_the_same_attempt() -> None:
    envelopes = [
        build_envelope({"serial": "A"}, {"serial": "B"}, attempt=2),
        build_envelope({"serial": "C"}, attempt=2),
    ]
    messages = plan_split(envelopes, NOW).suspects
    assert [(message.uplinks, message.attempt) for message in messages] == [(1, 2)] * 3
    items = [envelope.items for message in messages for envelope in decode_frame(message.body)]
    assert items == [[(0, {"serial": "A"})], [(1, {"serial": "B"})], [(0, {"serial": "C"})]]


def test_a_burial_gives_every_uplink_its_letter() -> None:
    letters = plan_burial(
        [build_envelope({"serial": "A"}, {"serial": "B"})], Reason.INTERNAL_ERROR, "died", NOW
    ).letters
    assert [letter.uplink_id[-2:] for letter in letters] == ["/0", "/1"]
    assert {letter.reason for letter in letters} == {Reason.INTERNAL_ERROR}


def test_an_unreadable_message_becomes_one_letter_with_its_bytes() -> None:
    delivery = FakeDelivery(Message(b"no frame", 3, attempt=2))
    (letter,) = plan_unreadable(delivery, Reason.ENVELOPE_UNSUPPORTED, "no frame", NOW).letters
    assert (letter.uplink_id, letter.frame, letter.envelope) == (f"frame/{delivery.message_id}", b"no frame", None)
    assert letter.uplinks == 3


def test_a_frame_of_another_version_goes_up_the_ladder_as_it_is_and_then_dies() -> None:
    message = Message(b'{"version":9}', 3, attempt=3, version=9)
    ((later, delay),) = plan_unsupported(FakeDelivery(message), "version 9", LADDER, NOW).later
    assert (later.body, later.version, later.attempt, delay) == (message.body, 9, 4, timedelta(seconds=120))
    assert plan_unsupported(FakeDelivery(later), "version 9", LADDER, NOW).letters[0].reason is (
        Reason.ENVELOPE_UNSUPPORTED
    )
