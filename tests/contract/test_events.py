"""What every engine of live events does."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import cast

import pytest

from common.events.announcement import Announcement, EventFilter
from common.events.buffer import BUFFER_EVENTS
from common.events.engine import Events, Missed, Sampled, Seen
from common.events.event import Event, Stage
from common.events.sampling import is_chosen
from common.metrics import REGISTRY
from tests.contract.event_engines import NOON, EventEngine, RabbitEventEngine, ServedEventEngine, event
from tests.support.waiting import eventually, take, take_one

ANNA, BERT = Announcement("viewer-anna"), Announcement("viewer-bert")


@pytest.fixture(
    params=[
        pytest.param("rabbit_events", id="rabbitmq", marks=pytest.mark.rabbitmq),
        pytest.param("served_events", id="sqlite"),
    ]
)
def engine(request: pytest.FixtureRequest) -> EventEngine:
    """Each engine in turn."""
    return cast("EventEngine", request.getfixturevalue(request.param))


@pytest.fixture
async def rabbit_events(amqp_url: str, prefix: str) -> AsyncIterator[RabbitEventEngine]:
    engine = RabbitEventEngine(amqp_url, prefix)
    yield engine
    await engine.clean()


@pytest.fixture
def served_events(tmp_path: Path) -> ServedEventEngine:
    return ServedEventEngine(tmp_path / "queue.db")


def numbers_of(seen: list[Seen]) -> list[int]:
    return [each.facts["number"] for each in seen if isinstance(each, Event)]


async def watched(events: Events) -> None:
    await eventually(lambda: events.watched)


async def test_a_viewer_sees_events_in_their_order(engine: EventEngine) -> None:
    async with engine.start() as events, engine.watch(ANNA) as seen:
        await watched(events)
        for number in range(100):
            events.publish(event(number))
        assert numbers_of(await take(seen, 100)) == list(range(100))


async def test_what_is_made_later_comes_in_its_turn(engine: EventEngine) -> None:
    async with engine.start() as events, engine.watch(ANNA) as seen:
        await watched(events)
        events.publish_later(partial(event, 1))
        events.publish(event(2))
        events.publish_later(partial(event, 3))
        assert numbers_of(await take(seen, 3)) == [1, 2, 3]


async def test_nothing_is_published_while_nobody_watches(engine: EventEngine) -> None:
    before = REGISTRY.get_sample_value("sluice_events_published_total")
    async with engine.start() as events:
        assert not events.watched
        events.publish(event(1))
        assert REGISTRY.get_sample_value("sluice_events_published_total") == before
        async with engine.watch(ANNA) as seen:
            await watched(events)
            events.publish(event(2))
            assert numbers_of([await take_one(seen)]) == [2]


async def test_a_viewer_sees_every_process(engine: EventEngine) -> None:
    async with engine.start() as one, engine.start() as other, engine.watch(ANNA) as seen:
        await watched(one)
        await watched(other)
        one.publish(event(1))
        other.publish(event(2))
        assert sorted(numbers_of(await take(seen, 2))) == [1, 2]


async def test_every_viewer_sees_what_it_asked_for_and_no_more(engine: EventEngine) -> None:
    only = Announcement("viewer-anna", EventFilter(serials=frozenset({"12-ba-b3-4b-54"})))
    async with engine.start() as events, engine.watch(only) as hers, engine.watch(BERT) as his:
        await eventually(lambda: REGISTRY.get_sample_value("sluice_event_viewers") == 2)
        for number, serial in enumerate(("12BAB34B55", "12BAB34B54", "12BAB34B56")):
            events.publish(event(number, serial=serial))
        assert numbers_of(await take(his, 3)) == [0, 1, 2]
        assert numbers_of([await take_one(hers)]) == [1]


async def test_details_are_for_those_who_asked_for_them(engine: EventEngine) -> None:
    asking = Announcement("viewer-anna", details=True)
    async with engine.start() as events, engine.watch(BERT) as his:
        await watched(events)
        assert not events.details_wanted
        async with engine.watch(asking) as hers:
            await eventually(lambda: events.details_wanted)
            events.publish(event(1, text="0011aa"))
            for seen, details in ((hers, {"text": "0011aa"}), (his, None)):
                arrived = await take_one(seen)
                assert isinstance(arrived, Event)
                assert arrived.details == details


async def test_a_viewer_that_is_too_slow_loses_events_and_is_told_how_many(engine: EventEngine) -> None:
    flood = 3 * BUFFER_EVENTS
    async with engine.start() as events, engine.watch(ANNA) as seen:
        await watched(events)
        for number in range(flood):  # without a pause, in which the engine could carry any of them away
            events.publish(event(number))
        arrived = await take(seen, BUFFER_EVENTS)
        assert numbers_of(arrived) == list(range(BUFFER_EVENTS))
        events.publish(event(flood))
        told = await take(seen, 2)
        assert told[0] == Missed("they came too fast", flood - BUFFER_EVENTS)
        assert numbers_of(told) == [flood]


async def test_a_viewer_is_told_of_whole_uplinks_and_of_no_more_than_it_can_use(engine: EventEngine) -> None:
    """Two processes choose for themselves, and choose the same."""
    limited = Announcement("viewer-anna", uplinks_per_second=20)
    async with engine.start() as ingest, engine.start() as worker, engine.watch(limited) as seen:
        await watched(ingest)
        await watched(worker)
        for number in range(400):
            for events in (ingest, worker):
                if events.wants(f"6a1f0c52d3b19e4477aa01c9/{number}"):
                    events.publish(event(number))
        for process in (ingest, worker):
            process.publish(Event(NOON, Stage.REFUSED, None, facts={"last": True}))
        arrived: list[Seen] = []
        while sum(isinstance(each, Event) and each.stage is Stage.REFUSED for each in arrived) < 2:
            arrived.append(await take_one(seen))
    (sampled, *_) = [each for each in arrived if isinstance(each, Sampled)]
    assert sampled.one_in > 1
    assert not [each for each in arrived if isinstance(each, Missed)], "what is left out on purpose is not lost"
    told = Counter(each.uplink_id for each in arrived if isinstance(each, Event) and each.uplink_id)
    assert set(told.values()) == {2}, "each with its whole story"
    assert all(is_chosen(str(uplink_id), sampled.one_in) for uplink_id in told)
    assert 0 < len(told) < 100


async def test_what_one_viewer_cannot_use_another_is_told(engine: EventEngine) -> None:
    limited = Announcement("viewer-anna", uplinks_per_second=1)
    async with engine.start() as events, engine.watch(limited) as hers, engine.watch(BERT) as his:
        await eventually(lambda: REGISTRY.get_sample_value("sluice_event_viewers") == 2)
        for number in range(100):
            assert events.wants(f"6a1f0c52d3b19e4477aa01c9/{number}")
            events.publish(event(number))
        assert numbers_of(await take(his, 100)) == list(range(100))
        assert any(isinstance(each, Sampled) for each in await take(hers, 2))


async def test_a_viewer_that_vanishes_is_forgotten(engine: EventEngine) -> None:
    async with engine.start() as events:
        async with engine.watch(ANNA):
            await watched(events)
        await eventually(lambda: not events.watched)


async def test_a_viewer_that_goes_on_announcing_itself_is_not_forgotten(engine: EventEngine) -> None:
    async with engine.start() as events, engine.watch(ANNA) as seen:
        await watched(events)
        told = 0
        until = asyncio.get_running_loop().time() + 2.5  # longer than it is heard after one announcement
        while asyncio.get_running_loop().time() < until:
            assert events.watched
            events.publish(event(told))
            assert numbers_of([await take_one(seen)]) == [told]
            told += 1
