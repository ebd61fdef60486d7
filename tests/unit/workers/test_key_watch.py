from common.envelope import Envelope
from common.metrics import REGISTRY
from common.reason import Reason
from tests.support.uplinks import build_envelope
from workers.key_watch import ADMITTED_PER_SECOND, HELD_FROM, RELEASED_BELOW, WINDOW, KeyWatch
from workers.outcome import DeadLettered, Delivered, RetryLater

ENVELOPE = build_envelope({"serial": "A"})
(UPLINK,) = ENVELOPE.uplinks()
DEAD = DeadLettered(UPLINK, Reason.SERIAL_UNKNOWN, "no")
KEY = ENVELOPE.key_id


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def build_held() -> tuple[KeyWatch, Clock]:
    clock = Clock()
    watch = KeyWatch(clock)
    watch.note(KEY, [DEAD] * HELD_FROM)
    assert watch.held == [KEY]
    assert watch.admits(ENVELOPE), "the first one finds out whether it was mended"
    return watch, clock


def test_a_key_is_held_back_once_its_uplinks_mostly_die() -> None:
    watch = KeyWatch()
    watch.note(KEY, [DEAD] * (HELD_FROM - 1))
    assert watch.held == []
    watch.note(KEY, [DEAD])
    assert watch.held == [KEY]


def test_dead_letters_here_and_there_hold_nobody_back() -> None:
    watch = KeyWatch()
    for _ in range(WINDOW):
        watch.note(KEY, [DEAD] * 9 + [Delivered(UPLINK)])
    assert watch.held == []


def test_another_key_is_not_concerned() -> None:
    watch, _ = build_held()
    other = Envelope("g", "other", ENVELOPE.arrived_at, {}, ENVELOPE.items)
    assert all(watch.admits(other) for _ in range(1_000))


def test_what_is_held_back_costs_an_attempt_and_says_why() -> None:
    watch, _ = build_held()
    assert not watch.admits(ENVELOPE)
    (outcome,) = watch.hold_back(ENVELOPE)
    assert isinstance(outcome, RetryLater)
    assert (outcome.reason, outcome.counts) == (Reason.KEY_HELD_BACK, True)


def test_some_are_let_through_all_the_time() -> None:
    watch, clock = build_held()
    admitted = 0
    for _ in range(10_000):
        clock.now += 0.001
        admitted += watch.admits(ENVELOPE)
    assert 0.9 * 10 * ADMITTED_PER_SECOND <= admitted <= 10 * ADMITTED_PER_SECOND + 1


def test_a_key_whose_map_was_mended_is_released() -> None:
    watch, _ = build_held()
    watch.note(KEY, [Delivered(UPLINK)] * (WINDOW - RELEASED_BELOW))
    assert watch.held == [KEY]
    assert REGISTRY.get_sample_value("sluice_keys_held_back") == 1
    watch.note(KEY, [Delivered(UPLINK)])
    assert watch.held == []
    assert REGISTRY.get_sample_value("sluice_keys_held_back") == 0


def test_what_is_tried_again_has_not_ended() -> None:
    watch = KeyWatch()
    watch.note(KEY, [RetryLater(UPLINK, Reason.DOWNSTREAM_UNAVAILABLE, "no")] * 1_000)
    watch.note(KEY, [DEAD] * (HELD_FROM - 1))
    assert watch.held == []
