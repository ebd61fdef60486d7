"""What the ingest tells of a request."""

import asyncio
from datetime import UTC, datetime

import pytest

from common.events.sampling import is_chosen
from common.events.telling import UplinkEvents
from common.queue.protocol import QueueUnavailableError
from ingest.acceptance import Acceptance
from ingest.refusal import RefusedError
from ingest.request import UplinkBatch
from tests.support.directories import StaticDirectory, build_directory, build_key
from tests.support.events import FakeEvents
from tests.support.queues import FakeQueue

ARRIVED = datetime(2026, 11, 21, 1, 23, 45, 678901, tzinfo=UTC)
BATCH = UplinkBatch(
    key=build_key(),
    group="6a1f0c52d3b19e4477aa01c9",
    arrived_at=ARRIVED,
    query={"event": "up"},
    items=[(0, {"serial": "A"}), (1, {"serial": "B"})],
    trace=None,
)


async def accept(queue: FakeQueue, events: FakeEvents) -> None:
    telling = UplinkEvents(events, StaticDirectory(build_directory(build_key())))
    acceptance = Acceptance(queue, confirm_timeout=30, waiting_limit=10, queue_limit=0, events=telling)
    watching = asyncio.create_task(acceptance.watch())
    await acceptance.gate.first_confirm.wait()
    try:
        await acceptance.accept(BATCH)
    finally:
        watching.cancel()


async def test_each_uplink_that_the_queue_has_is_told_as_it_came() -> None:
    events = FakeEvents(details=True)
    await accept(FakeQueue(), events)
    assert events.stages() == ["accepted", "accepted"]
    assert [event.uplink_id for event in events.told] == ["6a1f0c52d3b19e4477aa01c9/0", "6a1f0c52d3b19e4477aa01c9/1"]
    assert [event.serial for event in events.told] == ["A", "B"]
    assert events.told[0].facts == {"arrived_at": ARRIVED, "uplinks": 2}
    assert events.told[0].details == {"query": {"event": "up"}, "item": {"serial": "A"}}


async def test_of_a_sample_those_are_told_that_every_other_process_chooses() -> None:
    events = FakeEvents()
    events.sample(one_in=2)
    await accept(FakeQueue(), events)
    (told,) = events.told
    assert is_chosen(str(told.uplink_id), 2)


async def test_nothing_is_told_of_what_was_not_accepted() -> None:
    events, queue = FakeEvents(), FakeQueue()
    publish = queue.publish

    async def publish_probes_alone(message: object) -> None:
        if getattr(message, "uplinks", 0):
            raise QueueUnavailableError("away")
        await publish(message)  # type: ignore[arg-type]

    queue.publish = publish_probes_alone  # type: ignore[method-assign]
    with pytest.raises(RefusedError):
        await accept(queue, events)
    assert events.told == []


async def test_nothing_is_told_while_nobody_watches() -> None:
    events = FakeEvents()
    events.send_viewer_away()
    await accept(FakeQueue(), events)
    assert events.told == []
