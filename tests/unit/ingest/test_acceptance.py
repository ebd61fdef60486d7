"""From a batch to a confirm: what shares a frame, what is bounded, and what is refused."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from common.metrics import REGISTRY
from common.queue.protocol import MessageTooLargeError, QueueUnavailableError
from common.reason import Reason
from ingest import acceptance as module
from ingest import depth
from ingest.acceptance import Acceptance
from ingest.refusal import RefusedError
from ingest.request import UplinkBatch
from tests.support.directories import build_key
from tests.support.queues import FakeQueue
from tests.support.waiting import eventually


def build_batch(name: str = "a", uplinks: int = 1, **item: Any) -> UplinkBatch:
    return UplinkBatch(
        key=build_key(),
        group=name,
        arrived_at=datetime.now(UTC),
        query={},
        items=[(index, {"serial": name, **item}) for index in range(uplinks)],
        trace=None,
    )


@pytest.fixture
def queue() -> FakeQueue:
    return FakeQueue()


Build = Callable[..., Awaitable[Acceptance]]


@pytest.fixture
async def build(queue: FakeQueue) -> AsyncIterator[Build]:
    """An acceptance whose gate is open."""
    watching: list[asyncio.Task[None]] = []

    async def build(confirm_timeout: float = 30, waiting_limit: int = 1_000, queue_limit: int = 0) -> Acceptance:
        acceptance = Acceptance(
            queue, confirm_timeout=confirm_timeout, waiting_limit=waiting_limit, queue_limit=queue_limit
        )
        watching.append(asyncio.create_task(acceptance.watch()))
        await acceptance.gate.first_confirm.wait()
        queue.published.clear()
        return acceptance

    yield build
    for task in watching:
        task.cancel()


async def test_a_lone_request_leaves_at_once_in_a_frame_of_its_own(build: Build, queue: FakeQueue) -> None:
    acceptance = await build()
    await acceptance.accept(build_batch())
    assert [message.uplinks for message in queue.published] == [1]


async def test_accept_returns_only_after_the_confirm(build: Build, queue: FakeQueue) -> None:
    acceptance = await build()
    queue.hold()
    accepting = acceptance.accept(build_batch())
    done, _ = await asyncio.wait({accepting}, timeout=0.05)
    assert not done
    queue.release()
    await accepting


async def test_what_is_confirmed_after_it_was_answered_503_is_counted_apart(build: Build, queue: FakeQueue) -> None:
    """Else an audit would take it for doubled."""
    acceptance = await build(confirm_timeout=0.02)
    before = read_counts()
    queue.hold()
    with pytest.raises(RefusedError):
        await acceptance.accept(build_batch())
    queue.release()
    await eventually(lambda: read_counts() != before)
    assert read_counts() == (before[0], before[1] + 1)


def read_counts() -> tuple[float, float]:
    accepted = REGISTRY.get_sample_value("sluice_uplinks_accepted_total")
    unconfirmed = REGISTRY.get_sample_value("sluice_uplinks_unconfirmed_total")
    return accepted or 0, unconfirmed or 0


async def test_requests_that_arrive_together_share_a_frame_in_their_order(build: Build, queue: FakeQueue) -> None:
    acceptance = await build()
    await asyncio.gather(*(acceptance.accept(build_batch(str(n))) for n in range(10)))
    assert [message.uplinks for message in queue.published] == [10]
    assert [envelope.group for envelope in queue.accepted()] == [str(n) for n in range(10)]


async def test_requests_that_arrive_while_publishes_are_in_flight_wait_and_share(
    build: Build, queue: FakeQueue
) -> None:
    acceptance = await build()
    queue.hold()
    tasks = []
    for n in range(20):  # each in a turn of the loop of its own
        tasks.append(acceptance.accept(build_batch(str(n))))
        for _ in range(3):
            await asyncio.sleep(0)
    queue.release()
    await asyncio.gather(*tasks)
    alone = module.PUBLISHES_IN_FLIGHT
    assert [message.uplinks for message in queue.published] == [1] * alone + [20 - alone]


@pytest.mark.parametrize(
    ("batches", "frames"),
    [
        ([build_batch(uplinks=1)] * 130, [64, 64, 2]),
        ([build_batch(uplinks=200)] * 5, [400, 400, 200]),
        ([build_batch(uplinks=1, blob="x" * 100_000)] * 5, [2, 2, 1]),
        ([build_batch(uplinks=1), build_batch(uplinks=900), build_batch(uplinks=1)], [1, 900, 1]),
    ],
    ids=["requests", "uplinks", "bytes", "a large request travels alone"],
)
async def test_a_frame_is_bounded(
    build: Build, queue: FakeQueue, batches: list[UplinkBatch], frames: list[int]
) -> None:
    acceptance = await build()
    await asyncio.gather(*(acceptance.accept(batch) for batch in batches))
    assert [message.uplinks for message in queue.published] == frames


async def test_before_the_first_confirm_everything_is_refused(queue: FakeQueue) -> None:
    acceptance = Acceptance(queue, confirm_timeout=1, waiting_limit=10, queue_limit=0)
    with pytest.raises(RefusedError) as refused:
        await acceptance.accept(build_batch())
    assert refused.value.reason is Reason.QUEUE_UNAVAILABLE


async def test_a_missing_confirm_closes_the_gate_for_all_that_wait_and_a_probe_opens_it(
    build: Build, queue: FakeQueue
) -> None:
    acceptance = await build(confirm_timeout=0.05)
    queue.hold()
    answers = await asyncio.gather(*(acceptance.accept(build_batch()) for _ in range(200)), return_exceptions=True)
    assert {type(answer) for answer in answers} == {RefusedError}
    assert acceptance.gate.closed_because is not None
    with pytest.raises(RefusedError):  # at once, although nothing has been published for it
        await asyncio.wait_for(acceptance.accept(build_batch()), 0.04)
    queue.release()
    await eventually(lambda: acceptance.gate.closed_because is None)
    await acceptance.accept(build_batch("after"))
    assert queue.accepted()[-1].group == "after"
    assert 0 in [message.uplinks for message in queue.published]


async def test_a_queue_that_goes_away_fails_what_waits_behind_the_failed_frame_too(
    build: Build, queue: FakeQueue
) -> None:
    acceptance = await build()
    queue.refuse(*[QueueUnavailableError("away")] * module.PUBLISHES_IN_FLIGHT)
    answers = await asyncio.gather(*(acceptance.accept(build_batch()) for _ in range(500)), return_exceptions=True)
    assert {type(answer) for answer in answers} == {RefusedError}
    await eventually(lambda: acceptance.gate.closed_because is None)


async def test_a_message_that_no_queue_takes_is_413_and_leaves_the_gate_open(build: Build, queue: FakeQueue) -> None:
    acceptance = await build()
    queue.refuse(MessageTooLargeError("too large"))
    with pytest.raises(RefusedError) as refused:
        await acceptance.accept(build_batch())
    assert refused.value.status == 413
    assert acceptance.gate.closed_because is None


async def test_a_bug_in_the_engine_is_answered_500_and_not_a_hang(build: Build, queue: FakeQueue) -> None:
    acceptance = await build()
    queue.refuse(RuntimeError("bug"))
    with pytest.raises(RefusedError) as refused:
        await acceptance.accept(build_batch())
    assert refused.value.status == 500


async def test_waiting_requests_are_bounded(build: Build, queue: FakeQueue) -> None:
    acceptance = await build(waiting_limit=3)
    queue.hold()
    waiting = [acceptance.accept(build_batch()) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(RefusedError, match="3 requests wait"):
        await acceptance.accept(build_batch())
    queue.release()
    await asyncio.gather(*waiting)
    await acceptance.accept(build_batch())


async def test_what_has_waited_as_long_as_a_confirm_may_take_is_refused_and_not_published(
    build: Build, queue: FakeQueue
) -> None:
    acceptance = await build(confirm_timeout=30)
    queue.hold()
    accepting = []
    for _ in range(module.PUBLISHES_IN_FLIGHT + 2):  # the last two wait for a publish
        accepting.append(acceptance.accept(build_batch()))
        for _ in range(3):
            await asyncio.sleep(0)
    *in_flight, late, in_time = accepting
    acceptance._gatherer.waiting[0].since -= 31
    queue.release()
    with pytest.raises(RefusedError, match="too many requests are waiting"):
        await late
    await asyncio.gather(*in_flight, in_time)
    assert [message.uplinks for message in queue.published] == [1] * (module.PUBLISHES_IN_FLIGHT + 1)
    assert acceptance.gate.closed_because is None


async def test_too_many_requests_are_told_how_long_those_before_them_will_take(build: Build, queue: FakeQueue) -> None:
    acceptance = await build(waiting_limit=3)
    acceptance._pace.note(requests=1, seconds=20)  # 0.1 requests a second, two frames at a time
    queue.hold()
    waiting = [acceptance.accept(build_batch()) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(RefusedError) as refused:
        acceptance.refuse_if_overloaded()
    assert refused.value.headers["Retry-After"] == "30"
    queue.release()
    await asyncio.gather(*waiting)


async def test_a_full_queue_is_refused_until_it_has_drained(
    build: Build, queue: FakeQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(depth, "DEPTH_INTERVAL_SECONDS", 0.001)
    acceptance = await build(queue_limit=10)

    async def answers(expected: Reason | None) -> bool:
        try:
            await acceptance.accept(build_batch())
        except RefusedError as refused:
            return refused.reason is expected
        return expected is None

    queue.depth = 11
    await eventually(lambda: answers(Reason.QUEUE_FULL))
    queue.depth = 10
    await eventually(lambda: answers(None))


async def test_a_sender_that_went_away_leaves_no_trace(build: Build, queue: FakeQueue) -> None:
    acceptance = await build(waiting_limit=1)
    queue.hold()
    accepting = acceptance.accept(build_batch())
    await asyncio.sleep(0)
    accepting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await accepting
    queue.release()
    await eventually(lambda: [message.uplinks for message in queue.published] == [1])
    await acceptance.accept(build_batch())
    assert [message.uplinks for message in queue.published] == [1, 1]
