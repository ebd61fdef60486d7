import pytest
import structlog

from common.envelope import decode_frame
from common.ladder import Ladder
from common.metrics import REGISTRY
from common.queue.protocol import Message, MessageTooLargeError
from common.reason import Reason
from tests.support.queues import FakeDelivery
from tests.support.uplinks import build_envelope, build_uplinks
from workers.outcome import DeadLettered, Delivered, Outcome, PutBack, RetryLater, SetAside
from workers.settlement import Settlement


@pytest.fixture
def delivery() -> FakeDelivery:
    return FakeDelivery(Message(b"a frame", 3))


@pytest.fixture
def settlement() -> Settlement:
    return Settlement(Ladder())


class Counts:
    """How far the counters of uplinks have grown."""

    def __init__(self) -> None:
        self._before = self._read()

    def grown(self) -> dict[str, int]:
        return {name: int(value - self._before[name]) for name, value in self._read().items()}

    def _read(self) -> dict[str, float]:
        reason = {"reason": Reason.DOWNSTREAM_UNAVAILABLE.value}
        return {
            "delivered": REGISTRY.get_sample_value("sluice_uplinks_delivered_total") or 0,
            "set_aside": REGISTRY.get_sample_value("sluice_uplinks_set_aside_total") or 0,
            "retried": REGISTRY.get_sample_value("sluice_uplinks_retried_total", reason) or 0,
            "put_back": REGISTRY.get_sample_value("sluice_uplinks_put_back_total", reason) or 0,
            "dead": sum(
                REGISTRY.get_sample_value("sluice_uplinks_dead_total", {"reason": word}) or 0 for word in Reason
            ),
        }


def one_of_each() -> list[Outcome]:
    done, aside, later, back, dead = build_uplinks(5)
    return [
        Delivered(done),
        SetAside(aside),
        RetryLater(later, Reason.DOWNSTREAM_UNAVAILABLE, "503"),
        PutBack(back, Reason.DOWNSTREAM_UNAVAILABLE, "away"),
        DeadLettered(dead, Reason.SERIAL_UNKNOWN, "no device"),
    ]


async def test_a_delivery_is_settled_once_with_all_that_remains_of_it(
    settlement: Settlement, delivery: FakeDelivery
) -> None:
    await settlement.settle(delivery, one_of_each())
    assert delivery.settled == ["settle"]
    remainder = delivery.remainder
    assert (remainder.delivered, remainder.set_aside, remainder.died) == (1, 1, 1)
    assert [message.uplinks for message, _ in remainder.later] == [1]
    assert [message.uplinks for message in remainder.put_back] == [1]


async def test_every_uplink_is_counted_once(settlement: Settlement, delivery: FakeDelivery) -> None:
    counts = Counts()
    await settlement.settle(delivery, one_of_each())
    assert counts.grown() == {"delivered": 1, "set_aside": 1, "retried": 1, "put_back": 1, "dead": 1}


async def test_a_delivery_that_is_lost_counts_nothing_because_it_comes_again(
    settlement: Settlement, delivery: FakeDelivery
) -> None:
    counts = Counts()
    delivery.is_lost = True
    await settlement.settle(delivery, one_of_each())
    assert delivery.settled == []
    assert not any(counts.grown().values())


async def test_an_uplink_that_is_out_of_attempts_is_counted_as_dead_alone(
    settlement: Settlement, delivery: FakeDelivery
) -> None:
    counts = Counts()
    (uplink,) = build_uplinks(1, attempt=Ladder().attempts)
    await settlement.settle(delivery, [RetryLater(uplink, Reason.DOWNSTREAM_UNAVAILABLE, "503")])
    assert counts.grown() == {"delivered": 0, "set_aside": 0, "retried": 0, "put_back": 0, "dead": 1}


async def test_two_uplinks_of_one_id_in_a_frame_are_each_counted_as_what_they_came_to(
    settlement: Settlement, delivery: FakeDelivery
) -> None:
    counts = Counts()
    dead, later, back = (build_uplinks(1)[0] for _ in range(3))
    await settlement.settle(
        delivery,
        [
            DeadLettered(dead, Reason.SERIAL_UNKNOWN, "no device"),
            RetryLater(later, Reason.DOWNSTREAM_UNAVAILABLE, "503"),
            PutBack(back, Reason.DOWNSTREAM_UNAVAILABLE, "away"),
        ],
    )
    assert dead.id == later.id == back.id
    assert counts.grown() == {"delivered": 0, "set_aside": 0, "retried": 1, "put_back": 1, "dead": 1}


async def test_the_log_says_what_became_of_the_uplinks_and_not_what_was_asked_for(
    settlement: Settlement, delivery: FakeDelivery
) -> None:
    (last,) = build_uplinks(1, attempt=Ladder().attempts)
    with structlog.testing.capture_logs() as logs:
        await settlement.settle(delivery, [*one_of_each(), RetryLater(last, Reason.DOWNSTREAM_UNAVAILABLE, "503")])
    (line,) = [line for line in logs if line["event"] == "delivery.settled"]
    assert [line[word] for word in ("delivered", "set_aside", "retry_later", "put_back")] == [1, 1, 1, 1]
    assert line["dead_lettered"] == 2


async def test_the_letter_of_a_frame_that_nobody_can_read_counts_all_its_uplinks(
    settlement: Settlement, delivery: FakeDelivery
) -> None:
    counts = Counts()
    await settlement.bury_unreadable(delivery, "no frame")
    assert counts.grown()["dead"] == delivery.remainder.died == 3


async def test_a_letter_that_is_too_large_is_cut_and_not_lost(settlement: Settlement, delivery: FakeDelivery) -> None:
    delivery.refusals = [MessageTooLargeError("too large")]
    (uplink,) = build_uplinks(1)
    await settlement.settle(delivery, [DeadLettered(uplink, Reason.SERIAL_UNKNOWN, "no device")])
    (letter,) = delivery.remainder.letters
    assert (letter.uplink_id, letter.envelope, letter.frame) == (uplink.id, None, delivery.message.body)
    assert delivery.settled == ["settle"]


async def test_a_split_frame_becomes_a_suspect_for_each_uplink(settlement: Settlement, delivery: FakeDelivery) -> None:
    await settlement.split(delivery, [build_envelope({"serial": "A"}, {"serial": "B"})])
    assert [message.uplinks for message in delivery.remainder.suspects] == [1, 1]


async def test_poison_becomes_dead_letters_with_the_reason_internal_error(
    settlement: Settlement, delivery: FakeDelivery
) -> None:
    await settlement.bury_poison(delivery, [build_envelope({"serial": "A"}, {"serial": "B"})])
    assert [letter.reason for letter in delivery.remainder.letters] == [Reason.INTERNAL_ERROR] * 2


async def test_the_letter_of_poison_blames_no_worker_that_may_have_died_of_something_else(
    settlement: Settlement, delivery: FakeDelivery
) -> None:
    delivery.count = 4
    await settlement.bury_poison(delivery, [build_envelope({"serial": "A"})])
    (letter,) = delivery.remainder.letters
    assert letter.detail == (
        "it came back too often without being settled, as when it kills the worker: delivery 4 in its last queue"
    )


async def test_a_frame_of_another_version_is_put_off_unchanged(settlement: Settlement) -> None:
    delivery = FakeDelivery(Message(b'{"version":9}', 3, version=9))
    await settlement.put_off(delivery, "version 9")
    ((message, _),) = delivery.remainder.later
    assert (message.body, message.attempt) == (b'{"version":9}', 2)


async def test_retries_keep_the_order_of_the_items(settlement: Settlement, delivery: FakeDelivery) -> None:
    uplinks = build_uplinks(5)
    outcomes = [RetryLater(uplink, Reason.DOWNSTREAM_UNAVAILABLE, "503") for uplink in reversed(uplinks)]
    await settlement.settle(delivery, outcomes)
    ((message, _),) = delivery.remainder.later
    assert [index for index, _ in decode_frame(message.body)[0].items] == [0, 1, 2, 3, 4]
