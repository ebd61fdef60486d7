import asyncio

import pytest

from common.envelope import decode_frame
from common.ladder import Ladder
from common.queue.protocol import Message, MessageTooLargeError, QueueUnavailableError
from common.reason import Reason
from tests.support.queues import FakeDelivery, FakeQueue
from tests.support.uplinks import build_envelope, build_uplinks
from workers.outcome import DeadLettered, Delivered, Outcome, RetryLater
from workers.settlement import Settlement


class OrderedQueue(FakeQueue):
    """Notes whether the delivery was acked before what remained of it was durable."""

    delivery: FakeDelivery

    async def _take(self) -> None:
        assert self.delivery.settled == [], "acked before the remainder was durable"
        await super()._take()


@pytest.fixture
def delivery() -> FakeDelivery:
    return FakeDelivery(Message(b"", 3))


@pytest.fixture
def queue(delivery: FakeDelivery) -> FakeQueue:
    queue = OrderedQueue()
    queue.delivery = delivery
    return queue


@pytest.fixture
def settlement(queue: FakeQueue) -> Settlement:
    return Settlement(queue, Ladder())


async def test_the_remainder_is_durable_before_the_ack(
    settlement: Settlement, queue: FakeQueue, delivery: FakeDelivery
) -> None:
    done, later, dead = build_uplinks(3)
    outcomes: list[Outcome] = [
        Delivered(done),
        RetryLater(later, Reason.DOWNSTREAM_UNAVAILABLE, "503"),
        DeadLettered(dead, Reason.SERIAL_UNKNOWN, "no device"),
    ]
    await settlement.settle(delivery, outcomes)
    assert delivery.settled == ["ack"]
    assert [message.uplinks for message, _ in queue.later] == [1]
    assert [letter.uplink_id for letter in queue.letters] == [dead.id]


async def test_a_queue_that_does_not_take_the_remainder_is_tried_until_it_does(
    settlement: Settlement, queue: FakeQueue, delivery: FakeDelivery
) -> None:
    queue.refuse(QueueUnavailableError("away"), QueueUnavailableError("away"))
    (uplink,) = build_uplinks(1)
    await settlement.settle(delivery, [DeadLettered(uplink, Reason.SERIAL_UNKNOWN, "no device")])
    assert (len(queue.letters), delivery.settled) == (1, ["ack"])


async def test_a_delivery_that_is_lost_comes_again_as_a_whole_and_nothing_of_it_is_published(
    settlement: Settlement, queue: FakeQueue, delivery: FakeDelivery
) -> None:
    delivery.is_lost = True
    done, later = build_uplinks(2)
    await settlement.settle(delivery, [Delivered(done), RetryLater(later, Reason.DOWNSTREAM_UNAVAILABLE, "503")])
    assert (delivery.settled, queue.later) == ([], [])


async def test_a_delivery_that_is_lost_while_the_queue_is_away_ends_the_tries(
    settlement: Settlement, queue: FakeQueue, delivery: FakeDelivery
) -> None:
    (uplink,) = build_uplinks(1)
    queue.refuse(QueueUnavailableError("away"))
    settling = asyncio.create_task(
        settlement.settle(delivery, [RetryLater(uplink, Reason.DOWNSTREAM_UNAVAILABLE, "503")])
    )
    await asyncio.sleep(0)  # it has begun, and been refused
    delivery.is_lost = True
    queue.refuse(QueueUnavailableError("away"))
    await asyncio.wait_for(settling, 5)
    assert (delivery.settled, queue.later) == ([], [])


async def test_a_letter_that_is_too_large_is_cut_and_not_lost(
    settlement: Settlement, queue: FakeQueue, delivery: FakeDelivery
) -> None:
    queue.refuse(MessageTooLargeError("too large"))
    (uplink,) = build_uplinks(1)
    await settlement.settle(delivery, [DeadLettered(uplink, Reason.SERIAL_UNKNOWN, "no device")])
    (letter,) = queue.letters
    assert (letter.uplink_id, letter.envelope, letter.frame) == (uplink.id, None, delivery.message.body)
    assert delivery.settled == ["ack"]


async def test_a_split_frame_becomes_a_suspect_for_each_uplink(
    settlement: Settlement, queue: FakeQueue, delivery: FakeDelivery
) -> None:
    await settlement.split(delivery, [build_envelope({"serial": "A"}, {"serial": "B"})])
    assert [message.uplinks for message in queue.suspects] == [1, 1]
    assert (delivery.settled, queue.published) == (["ack"], [])


async def test_poison_becomes_dead_letters_with_the_reason_internal_error(
    settlement: Settlement, queue: FakeQueue, delivery: FakeDelivery
) -> None:
    await settlement.bury_poison(delivery, [build_envelope({"serial": "A"}, {"serial": "B"})])
    assert [letter.reason for letter in queue.letters] == [Reason.INTERNAL_ERROR] * 2
    assert delivery.settled == ["ack"]


async def test_a_frame_of_another_version_is_put_off_unchanged(settlement: Settlement, queue: FakeQueue) -> None:
    delivery = FakeDelivery(Message(b'{"version":9}', 3, version=9))
    await settlement.put_off(delivery, "version 9")
    ((message, _),) = queue.later
    assert (message.body, message.attempt, delivery.settled) == (b'{"version":9}', 2, ["ack"])


async def test_retries_keep_the_order_of_the_items(
    settlement: Settlement, queue: FakeQueue, delivery: FakeDelivery
) -> None:
    uplinks = build_uplinks(5)
    outcomes = [RetryLater(uplink, Reason.DOWNSTREAM_UNAVAILABLE, "503") for uplink in reversed(uplinks)]
    await settlement.settle(delivery, outcomes)
    ((message, _),) = queue.later
    assert [index for index, _ in decode_frame(message.body)[0].items] == [0, 1, 2, 3, 4]
