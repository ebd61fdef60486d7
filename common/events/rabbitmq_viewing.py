"""Watching live events on RabbitMQ, through every reconnection."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Any

import orjson
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from yarl import URL

from common.events.announcement import Announcement, encode_announcement
from common.events.engine import FORGOTTEN, EventTiming, Missed, Sampled, Seen
from common.events.event import Event, EventUnreadableError, event_from_document
from common.events.exchanges import (
    EventNames,
    Told,
    build_announcement_message,
    dropping_with,
    get_exchange,
    read_told,
    require_exchanges,
    subscribe,
)
from common.events.sampling import Samples, is_sampled
from common.events.viewing import gathered
from common.queue.protocol import QueueUnavailableError
from common.queue.rabbitmq.link import Link
from common.queue.rabbitmq.problems import answered_within, translated
from common.queue.rabbitmq.session import Session
from common.queue.rabbitmq.timing import Timing
from common.tls import NO_FILES, TlsFiles

QUEUE_MESSAGES = 1_000
"""That wait at the broker for one viewer, each of one or more events; the oldest goes first."""

PREFETCH = 20
"""Messages that are on their way to a viewer; those behind wait at the broker, where the oldest give way."""


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
                queue = await subscribe(channel, self._names.events, own_queue, most=QUEUE_MESSAGES)
                await queue.consume(_Showing(self._announcement, seen).take)
            announcing = asyncio.create_task(self._announce(session, channel, seen))
            try:
                raise QueueUnavailableError(await session.wait_lost())
            finally:
                announcing.cancel()
                await asyncio.gather(announcing, return_exceptions=True)

    async def _announce(self, session: Session, channel: AbstractChannel, seen: "asyncio.Queue[Seen]") -> None:
        exchange = await get_exchange(channel, self._names.viewers)
        last = math.inf
        while True:
            if time.monotonic() - last > self._timing.forget_seconds:
                await seen.put(FORGOTTEN)
            last = time.monotonic()
            try:
                async with answered_within(self._timing.forget_seconds, "announcing"):
                    await exchange.publish(
                        build_announcement_message(encode_announcement(self._announcement)), "", mandatory=False
                    )
            except QueueUnavailableError as error:
                session.drop(str(error))
                return
            await asyncio.sleep(self._timing.announce_seconds)


class _Showing:
    """Shows what the messages of one session tell, in their order."""

    def __init__(self, announcement: Announcement, seen: "asyncio.Queue[Seen]") -> None:
        self._announcement = announcement
        self._seen = seen
        self._newest: dict[str, int] = {}
        """The newest number of each process: its events are numbered, also those that never came."""
        self._samples = Samples()
        self._turn = asyncio.Lock()

    async def take(self, incoming: AbstractIncomingMessage) -> None:
        """Show a message's events, behind what is missing before them, and acknowledge it.

        The broker sends on only as fast as this gets on, but begins with a message before the one before it is done.
        """
        async with self._turn:
            for each in self._read(incoming):
                await self._seen.put(each)
        with suppress(QueueUnavailableError), translated("acknowledging"):
            await incoming.ack()

    def _read(self, incoming: AbstractIncomingMessage) -> Iterator[Seen]:
        documents = _read_documents(incoming.body)
        if (told := read_told(incoming)) is not None:
            if self._samples.note(told.source, told.sampled.get(self._announcement.viewer, 1)):
                yield Sampled(self._samples.one_in)
            if missing := self._count_missing(told, len(documents)):
                yield Missed("they came too fast", missing)
        for document in documents:
            try:
                event = event_from_document(document)
            except EventUnreadableError as error:
                yield Missed(str(error), 1)
            else:
                if self._is_for_this_viewer(event):
                    yield event if self._announcement.details else replace(event, details=None)

    def _count_missing(self, told: Told, events: int) -> int:
        """Say how many are missing between this message's events and those before of the same process; notes them."""
        before = self._newest.get(told.source, told.number - events)
        self._newest[told.source] = told.number
        return max(told.number - before - events, 0)

    def _is_for_this_viewer(self, event: Event) -> bool:
        return is_sampled(event, self._samples.one_in) and self._announcement.event_filter.fits(event)


def _read_documents(body: bytes) -> list[Any]:
    """Give what a message holds; one thing that is no event where that cannot be told."""
    try:
        documents = orjson.loads(body)
    except ValueError:
        return [None]
    return documents if isinstance(documents, list) else [documents]
