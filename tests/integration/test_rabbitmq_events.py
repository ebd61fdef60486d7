"""Live events on a broker that breaks: what was seen goes on, and nobody who tells is ever held up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aio_pika
import pytest

from common.events.announcement import Announcement
from common.events.engine import Events, Missed, Seen
from common.events.event import Event, encode_event
from common.events.exchanges import EventNames
from common.events.rabbitmq import RabbitEvents
from tests.contract.event_engines import RabbitEventEngine, event
from tests.support.proxy import Proxy
from tests.support.waiting import eventually, take_one

pytestmark = pytest.mark.rabbitmq

ANNA = Announcement("viewer-anna")


@pytest.fixture
async def engine(amqp_url: str, prefix: str) -> AsyncIterator[RabbitEventEngine]:
    engine = RabbitEventEngine(amqp_url, prefix)
    yield engine
    await engine.clean()


async def next_number(seen: AsyncIterator[Seen]) -> int:
    each = await take_one(seen)
    assert isinstance(each, Event), each
    return int(each.facts["number"])


async def tell_until_seen(events: Events, seen: AsyncIterator[Seen]) -> None:
    """Tell until something is seen: what is told while a connection is made anew is lost, as it may be."""
    seeing = asyncio.create_task(take_one(seen))

    def tell() -> bool:
        events.publish(event(1))
        return seeing.done()

    await eventually(tell)
    await seeing


async def test_a_viewer_finds_a_process_that_starts_later(engine: RabbitEventEngine) -> None:
    async with engine.start() as first, engine.watch(ANNA) as seen:
        await eventually(lambda: first.watched)
        async with engine.start() as second:
            await eventually(lambda: second.watched)
            second.publish(event(7))
            assert await next_number(seen) == 7


async def test_a_viewer_whose_connection_breaks_goes_on_seeing(
    engine: RabbitEventEngine, amqp_url: str, prefix: str
) -> None:
    async with engine.start() as events, Proxy(amqp_url) as proxy:
        behind_proxy = RabbitEventEngine(proxy.url, prefix)
        async with behind_proxy.watch_all(ANNA) as seen:
            await eventually(lambda: events.watched)
            await tell_until_seen(events, seen)
            await proxy.cut()
            while isinstance(told := await take_one(seen), Event):
                pass
            assert isinstance(told, Missed)
            assert told.events is None
            await tell_until_seen(events, seen)


@asynccontextmanager
async def telling_through_a_proxy(
    engine: RabbitEventEngine, amqp_url: str, prefix: str
) -> AsyncIterator[tuple[Proxy, Events, AsyncIterator[Seen]]]:
    """Give a process that is watched, with the way to its broker, and what the viewer sees."""
    async with (
        Proxy(amqp_url) as proxy,
        RabbitEventEngine(proxy.url, prefix).start() as events,
        engine.watch(ANNA) as seen,
    ):
        await eventually(lambda: events.watched)
        yield proxy, events, seen


async def test_a_process_whose_connection_breaks_goes_on_telling(
    engine: RabbitEventEngine, amqp_url: str, prefix: str
) -> None:
    async with telling_through_a_proxy(engine, amqp_url, prefix) as (proxy, events, seen):
        proxy.refuse()
        await proxy.cut()
        events.publish(event(1))
        await proxy.heal()
        await tell_until_seen(events, seen)


async def test_telling_returns_at_once_while_the_broker_takes_nothing(
    engine: RabbitEventEngine, amqp_url: str, prefix: str
) -> None:
    async with telling_through_a_proxy(engine, amqp_url, prefix) as (proxy, events, seen):
        proxy.blackhole()
        for number in range(20_000):  # nothing is awaited: what does not fit is dropped
            events.publish(event(number, text="x" * 1_000))
        await eventually(lambda: not events.watched)  # announcements are swallowed as well
        await proxy.heal()
        await eventually(lambda: events.watched)
        await tell_until_seen(events, seen)


async def test_a_viewer_that_takes_nothing_loses_the_oldest_at_the_broker(
    engine: RabbitEventEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.events.rabbitmq_viewing.QUEUE_MESSAGES", 5)
    monkeypatch.setattr("common.events.rabbitmq_viewing.PREFETCH", 1)
    monkeypatch.setattr("common.events.rabbitmq.BURST", 10)
    monkeypatch.setattr("common.events.rabbitmq.PAUSE_SECONDS", 0.01)
    monkeypatch.setattr("common.events.viewing.WAITING", 10)
    async with engine.start() as events, engine.watch(ANNA) as seen:
        await eventually(lambda: events.watched)
        for number in range(500):
            events.publish(event(number))
        assert isinstance(events, RabbitEvents)
        await eventually(lambda: not events.waiting)  # so most of them are at the broker, which keeps five messages
        arrived = [await take_one(seen)]
        while not (isinstance(arrived[-1], Event) and arrived[-1].facts["number"] == 499):
            arrived.append(await take_one(seen))
        missed = sum(each.events or 0 for each in arrived if isinstance(each, Missed))
        shown = [each.facts["number"] for each in arrived if isinstance(each, Event)]
        assert shown == sorted(shown)
        assert (shown[0], shown[-1]) == (0, 499)
        assert missed + len(shown) == 500
        assert missed > 0


@pytest.mark.parametrize(("most_bytes", "messages"), [(131_072, 1), (1_000, 30)])
async def test_what_comes_together_leaves_in_one_message_of_a_bounded_size(
    engine: RabbitEventEngine, monkeypatch: pytest.MonkeyPatch, most_bytes: int, messages: int
) -> None:
    monkeypatch.setattr("common.events.rabbitmq.MESSAGE_BYTES", most_bytes)
    async with engine.start() as events, engine.watch(Announcement("viewer-anna", details=True)) as seen:
        await eventually(lambda: events.watched)
        async with await aio_pika.connect(engine.url) as connection, connection.channel() as channel:
            queue = await channel.declare_queue(exclusive=True)
            await queue.bind(engine.names.events)
            for number in range(30):
                events.publish(event(number, text="x" * 900))
            assert [await next_number(seen) for _ in range(30)] == list(range(30))
            declared = await channel.declare_queue(queue.name, passive=True)
            assert declared.declaration_result.message_count == messages


async def test_what_a_viewer_cannot_read_takes_nothing_else_with_it(engine: RabbitEventEngine) -> None:
    async with engine.start() as events, engine.watch(ANNA) as seen:
        await eventually(lambda: events.watched)
        async with await aio_pika.connect(engine.url) as connection, connection.channel() as channel:
            exchange = await channel.get_exchange(engine.names.events)
            for body in (
                b"[%b,{},%b]" % (encode_event(event(1)), encode_event(event(2))),
                b"{",
                encode_event(event(3)),
            ):
                await exchange.publish(aio_pika.Message(body), "", mandatory=False)
        arrived = [await take_one(seen) for _ in range(5)]
        assert [each.facts["number"] if isinstance(each, Event) else None for each in arrived] == [1, None, 2, None, 3]


async def test_the_queue_of_a_viewer_is_gone_with_it(engine: RabbitEventEngine, amqp_url: str, prefix: str) -> None:
    names = EventNames(prefix)
    async with engine.start() as events:
        async with engine.watch(ANNA):
            await eventually(lambda: events.watched)
        async with await aio_pika.connect(amqp_url) as connection:
            channel = await connection.channel()
            with pytest.raises(aio_pika.exceptions.ChannelNotFoundEntity):
                await channel.declare_queue(names.queue(names.events, ANNA.viewer), passive=True)


async def test_a_viewer_makes_no_exchange(amqp_url: str, prefix: str) -> None:
    async with RabbitEventEngine(amqp_url, prefix).watch_all(ANNA) as seen:
        told = await take_one(seen)
    assert isinstance(told, Missed)
    assert f"there is no exchange '{prefix}.events'" in told.why
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        with pytest.raises(aio_pika.exceptions.ChannelNotFoundEntity):
            await channel.declare_exchange(f"{prefix}.events", passive=True)
