import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from common.envelope import Envelope, encode_frame
from common.ladder import Ladder
from common.metrics import REGISTRY
from common.queue.protocol import Message, MessageTooLargeError
from common.reason import Reason
from tests.support.queues import FakeDelivery, FakeQueue
from tests.support.uplinks import build_envelope
from tests.support.waiting import eventually
from workers import consumer as module
from workers.answers import TransientError
from workers.breaker import Breaker
from workers.consumer import SPLIT_AT_DELIVERY, SUSPECT_DELIVERIES, Consumer
from workers.flood import FLOOD_FROM, InternalErrorFloodError
from workers.outcome import Delivered, Outcome
from workers.settlement import Settlement


class Processor:
    """Delivers everything, when it is let."""

    def __init__(self) -> None:
        self.seen: list[Envelope] = []
        self.may_finish = asyncio.Event()
        self.may_finish.set()
        self.bugs: list[Exception] = []

    async def __call__(self, envelope: Envelope) -> list[Outcome]:
        self.seen.append(envelope)
        if self.bugs:
            raise self.bugs.pop()
        await self.may_finish.wait()
        return [Delivered(uplink) for uplink in envelope.uplinks()]


class Probed:
    """A downstream that is there or not."""

    def __init__(self) -> None:
        self.is_there = True

    async def __call__(self) -> None:
        if not self.is_there:
            raise TransientError("ConnectError")


class Running:
    """A consumer that runs, with what it runs on."""

    def __init__(self, uplinks_in_hand: int = 100) -> None:
        self.queue = FakeQueue()
        self.process = Processor()
        self.downstream = Probed()
        self.breaker = Breaker(self.downstream)
        self.stopping = asyncio.Event()
        self.hurry: Callable[[], None] = lambda: None
        self.consumer = Consumer(
            self.queue,
            self.process,
            Settlement(Ladder()),
            self.breaker,
            uplinks_in_hand=uplinks_in_hand,
            hurry=lambda: self.hurry(),  # noqa: PLW0108 - a test sets it later
        )
        self.task = asyncio.create_task(self.consumer.run(self.stopping, grace=0.2))

    def deliver(self, *envelopes: Envelope, **how: Any) -> FakeDelivery:
        uplinks = sum(len(envelope.items) for envelope in envelopes)
        return self.deliver_body(encode_frame(envelopes), uplinks, **how)

    def deliver_body(self, body: bytes, uplinks: int, **how: Any) -> FakeDelivery:
        delivery = FakeDelivery(Message(body, uplinks), **how)
        self.queue.deliver(delivery)
        return delivery


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    running = Running()
    yield running
    running.process.may_finish.set()
    running.stopping.set()
    await running.task


def batch(uplinks: int) -> Envelope:
    return build_envelope(*({"serial": f"S{n}"} for n in range(uplinks)))


async def test_every_request_of_a_frame_is_processed_and_the_delivery_settled(running: Running) -> None:
    delivery = running.deliver(batch(2), batch(3))
    await eventually(lambda: delivery.settled == ["settle"])
    assert [len(envelope.items) for envelope in running.process.seen] == [2, 3]


async def test_the_uplinks_of_what_comes_again_are_counted_for_the_books(running: Running) -> None:
    before = REGISTRY.get_sample_value("sluice_uplinks_redelivered_total") or 0
    deliveries = [running.deliver(batch(2)), running.deliver(batch(3), count=2), running.deliver(batch(4), count=3)]
    await eventually(lambda: all(delivery.settled for delivery in deliveries))
    assert REGISTRY.get_sample_value("sluice_uplinks_redelivered_total") == before + 7


async def test_a_probe_is_settled_and_nothing_else(running: Running) -> None:
    delivery = running.deliver()
    await eventually(lambda: delivery.settled == ["settle"])
    assert running.process.seen == []


async def test_a_frame_that_comes_a_third_time_is_split_and_not_processed(running: Running) -> None:
    delivery = running.deliver(batch(3), count=SPLIT_AT_DELIVERY)
    await eventually(lambda: delivery.settled == ["settle"])
    assert running.process.seen == []
    assert [message.uplinks for message in delivery.remainder.suspects] == [1, 1, 1]


async def test_a_single_uplink_that_comes_a_third_time_is_a_suspect_too(running: Running) -> None:
    delivery = running.deliver(batch(1), count=SPLIT_AT_DELIVERY)
    await eventually(lambda: delivery.settled == ["settle"])
    assert (len(running.process.seen), len(delivery.remainder.suspects)) == (0, 1)


async def test_a_suspect_is_processed_until_it_has_killed_too_often(running: Running) -> None:
    tried = running.deliver(batch(1), count=SUSPECT_DELIVERIES, suspect=True)
    guilty = running.deliver(batch(1), count=SUSPECT_DELIVERIES + 1, suspect=True)
    await eventually(lambda: (tried.settled, guilty.settled) == (["settle"], ["settle"]))
    assert len(running.process.seen) == 1
    assert [letter.reason for letter in guilty.remainder.letters] == [Reason.INTERNAL_ERROR]


async def test_poison_is_buried_and_not_processed(running: Running) -> None:
    delivery = running.deliver(batch(1), count=1, poisoned=True)
    await eventually(lambda: delivery.settled == ["settle"])
    assert running.process.seen == []
    assert [letter.reason for letter in delivery.remainder.letters] == [Reason.INTERNAL_ERROR]


async def test_a_message_that_is_no_frame_is_buried_as_it_is(running: Running) -> None:
    delivery = running.deliver_body(b"\xff", 1)
    await eventually(lambda: delivery.settled == ["settle"])
    assert delivery.remainder.letters[0].frame == b"\xff"


async def test_a_frame_of_another_version_is_put_off(running: Running) -> None:
    delivery = running.deliver_body(b'{"version":9,"envelopes":[]}', 2)
    await eventually(lambda: delivery.settled == ["settle"])
    assert len(delivery.remainder.later) == 1


async def test_a_bug_that_no_stage_caught_is_retried_and_the_delivery_settled(running: Running) -> None:
    running.process.bugs = [RuntimeError("bug")]
    delivery = running.deliver(batch(2))
    await eventually(lambda: delivery.settled == ["settle"])
    assert [message.uplinks for message, _ in delivery.remainder.later] == [2]


@pytest.mark.parametrize("bound", ["uplinks", "bytes"])
async def test_what_is_in_hand_is_bounded(bound: str, monkeypatch: pytest.MonkeyPatch) -> None:
    running = Running(uplinks_in_hand=10 if bound == "uplinks" else 1_000)
    if bound == "bytes":
        monkeypatch.setattr(module, "BYTES_IN_HAND", int(2.5 * len(encode_frame([batch(4)]))))
    running.process.may_finish.clear()
    deliveries = [running.deliver(batch(4)) for _ in range(10)]
    await eventually(lambda: len(running.process.seen) == 3)
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(running.process.seen) == 3
    assert REGISTRY.get_sample_value("sluice_uplinks_in_hand") == 12
    running.process.may_finish.set()
    await eventually(lambda: all(delivery.settled for delivery in deliveries))
    await eventually(lambda: not running.consumer._handling)
    assert REGISTRY.get_sample_value("sluice_uplinks_in_hand") == 0
    running.stopping.set()
    await running.task


async def test_stopping_finishes_what_is_in_hand_and_takes_nothing_new() -> None:
    running = Running()
    running.process.may_finish.clear()
    delivery = running.deliver(batch(1))
    await eventually(lambda: running.process.seen)
    running.stopping.set()
    for _ in range(5):
        await asyncio.sleep(0)
    late = running.deliver(batch(1))
    running.process.may_finish.set()
    await running.task
    assert (delivery.settled, late.settled) == (["settle"], [])


async def test_a_worker_whose_time_is_half_over_is_told_to_hurry_and_settles_what_it_has() -> None:
    running = Running()
    running.process.may_finish.clear()
    running.hurry = running.process.may_finish.set
    delivery = running.deliver(batch(1))
    await eventually(lambda: running.process.seen)
    running.stopping.set()
    await running.task
    assert delivery.settled == ["settle"]


async def test_a_delivery_that_cannot_be_settled_is_handed_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BROKEN_PAUSE_SECONDS", 0)
    running = Running()
    delivery = running.deliver_body(b"no frame", 1)
    delivery.refusals = [MessageTooLargeError("too large"), MessageTooLargeError("too large")]
    await eventually(lambda: delivery.settled == ["hand_back"])
    running.stopping.set()
    await running.task


async def test_what_is_not_finished_within_the_grace_stays_with_the_queue() -> None:
    running = Running()
    running.process.may_finish.clear()
    delivery = running.deliver(batch(1))
    await eventually(lambda: running.process.seen)
    running.stopping.set()
    await running.task
    assert delivery.settled == []


async def test_a_worker_that_is_cancelled_leaves_nothing_behind_that_goes_on() -> None:
    """It shares a process with others, and the queue is about to be closed."""
    running = Running()
    running.process.may_finish.clear()
    running.hurry = running.process.may_finish.set
    delivery = running.deliver(batch(1))
    await eventually(lambda: running.process.seen)
    running.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running.task
    assert delivery.settled == ["settle"]
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_nothing_is_taken_while_the_downstream_is_away(running: Running) -> None:
    running.downstream.is_there = False
    running.breaker.note_failure("A")
    await eventually(lambda: running.breaker.is_open and running.queue.consumers == 0)
    delivery = running.deliver(batch(1))
    running.downstream.is_there = True
    await eventually(lambda: delivery.settled)
    assert running.queue.consumers == 1


async def test_deliveries_that_end_by_themselves_stop_the_worker() -> None:
    running = Running()
    await eventually(lambda: running.queue.consumers)
    await running.queue.close()
    with pytest.raises(RuntimeError, match="by itself"):
        await running.task


async def test_a_flood_of_bugs_stops_the_worker_after_what_it_has_in_hand_is_settled() -> None:
    running = Running(uplinks_in_hand=1)
    running.process.bugs = [RuntimeError(f"bug {n}") for n in range(2 * FLOOD_FROM)]
    deliveries = [running.deliver(batch(1)) for _ in range(2 * FLOOD_FROM)]
    with pytest.raises(InternalErrorFloodError):
        await running.task
    settled = [delivery for delivery in deliveries if delivery.settled]
    assert FLOOD_FROM <= len(settled) <= FLOOD_FROM + 2
