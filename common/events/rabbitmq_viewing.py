"""Watching live events on RabbitMQ, through every reconnection."""

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial

from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from yarl import URL

from common.events.announcement import Announcement, encode_announcement
from common.events.engine import FORGOTTEN, EventTiming, Missed, Seen
from common.events.event import EventUnreadableError, decode_event
from common.events.exchanges import (
    EventNames,
    build_message,
    dropping_with,
    get_exchange,
    read_number,
    require_exchanges,
    subscribe,
)
from common.events.viewing import gathered
from common.queue.protocol import QueueUnavailableError
from common.queue.rabbitmq.link import Link
from common.queue.rabbitmq.problems import answered_within, translated
from common.queue.rabbitmq.session import Session
from common.queue.rabbitmq.timing import Timing
from common.tls import NO_FILES, TlsFiles

QUEUE_EVENTS = 10_000
"""That wait at the broker for one viewer; the oldest goes first."""

PREFETCH = 200
"""Events that are on their way to a viewer; those behind wait at the broker, where the oldest give way."""


@asynccontextmanager
async def watch_broker(
    url: str,
    names: EventNames,
    announcement: Announcement,
    *,
    name: str,
    tls: TlsFiles = NO_FILES,
    timing: EventTiming | None = None,
) -> AsyncIterator[AsyncIterator[Seen]]:
    """Watch what the processes of a deployment tell, as long as the context lasts.

    Makes no exchange: a prefix that was mistyped must not look like a deployment in which nothing happens.
    """
    prepare = partial(require_exchanges, names=names)
    link = Link(URL(url), name=f"{name} events", prepare=prepare, timing=Timing(), tls=tls, subject="events")
    viewing = _Viewing(link, names, announcement, timing or EventTiming())
    try:
        async with gathered(viewing.run) as seen:
            yield seen
    finally:
        await link.close()


class _Viewing:
    """One session after the other, and what is seen in each."""

    def __init__(self, link: Link, names: EventNames, announcement: Announcement, timing: EventTiming) -> None:
        self._link = link
        self._names = names
        self._announcement = announcement
        self._timing = timing

    async def run(self, seen: "asyncio.Queue[Seen]") -> None:
        """Put in what there is to be seen, and why nothing is, until cancelled."""
        last_why: str | None = None
        while True:
            try:
                session = await self._link.session()
                last_why = None
                await self._watch(session, seen)
            except QueueUnavailableError as error:
                if str(error) != last_why:
                    last_why = str(error)
                    await seen.put(Missed(last_why))
                await asyncio.sleep(Timing().pause_seconds)

    async def _watch(self, session: Session, seen: "asyncio.Queue[Seen]") -> None:
        """Watch through one session; raises :class:`QueueUnavailableError` when it is lost."""
        async with session.extra_channel(Timing().answer_seconds) as channel, dropping_with(channel, session):
            async with answered_within(Timing().answer_seconds, "subscribing"):
                await channel.set_qos(prefetch_count=PREFETCH)
                own_queue = self._names.queue(self._names.events, self._announcement.viewer)
                queue = await subscribe(channel, self._names.events, own_queue, most=QUEUE_EVENTS)
                await queue.consume(partial(self._take, seen, _Numbers()))
            announcing = asyncio.create_task(self._announce(session, channel, seen))
            try:
                raise QueueUnavailableError(await session.wait_lost())
            finally:
                announcing.cancel()
                await asyncio.gather(announcing, return_exceptions=True)

    async def _take(self, seen: "asyncio.Queue[Seen]", numbers: "_Numbers", incoming: AbstractIncomingMessage) -> None:
        """Show an event, behind what is missing before it; the broker sends on only as fast as this gets on."""
        if missing := numbers.missing_before(incoming):
            await seen.put(Missed("they came too fast", missing))
        if (each := self._read(incoming)) is not None:
            await seen.put(each)
        with suppress(QueueUnavailableError), translated("acknowledging"):
            await incoming.ack()

    def _read(self, incoming: AbstractIncomingMessage) -> Seen | None:
        """Give the event as this viewer asked for it; None where it is for another one alone."""
        try:
            event = decode_event(incoming.body)
        except EventUnreadableError as error:
            return Missed(str(error), 1)
        if not self._announcement.event_filter.fits(event):
            return None
        return event if self._announcement.details else replace(event, details=None)

    async def _announce(self, session: Session, channel: AbstractChannel, seen: "asyncio.Queue[Seen]") -> None:
        exchange = await get_exchange(channel, self._names.viewers)
        last = math.inf
        while True:
            if time.monotonic() - last > self._timing.forget_seconds:
                await seen.put(FORGOTTEN)
            last = time.monotonic()
            try:
                async with answered_within(self._timing.forget_seconds, "announcing"):
                    await exchange.publish(build_message(encode_announcement(self._announcement)), "", mandatory=False)
            except QueueUnavailableError as error:
                session.drop(str(error))
                return
            await asyncio.sleep(self._timing.announce_seconds)


class _Numbers:
    """The newest number of each process: its events are numbered, also those that never came."""

    def __init__(self) -> None:
        self._newest: dict[str, int] = {}

    def missing_before(self, incoming: AbstractIncomingMessage) -> int:
        """Say how many events are missing between this one and the one before of the same process; notes it."""
        if (found := read_number(incoming)) is None:
            return 0
        source, number = found
        before = self._newest.get(source, number - 1)
        self._newest[source] = number
        return max(number - before - 1, 0)
