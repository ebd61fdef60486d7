"""Live events on RabbitMQ, as the roles tell them: a connection of their own, and nothing that is ever waited for."""

import asyncio
import uuid
from collections.abc import Iterable, Iterator
from functools import partial
from typing import NamedTuple

import structlog
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from yarl import URL

from common.events.announcement import AnnouncementUnreadableError, decode_announcement
from common.events.buffer import Buffer
from common.events.engine import Events, EventTiming
from common.events.event import Event, encode_event
from common.events.exchanges import (
    EventNames,
    Told,
    build_events_message,
    declare_exchanges,
    dropping_with,
    get_exchange,
    subscribe,
)
from common.events.viewers import Viewers
from common.queue.protocol import QueueUnavailableError
from common.queue.rabbitmq.link import Link
from common.queue.rabbitmq.problems import answered_within, translated
from common.queue.rabbitmq.session import Session
from common.queue.rabbitmq.timing import Timing
from common.tls import NO_FILES, TlsFiles

BURST = 500
PAUSE_SECONDS = 0.5
"""At most 1,000 events a second and process: nobody reads more, and each costs the pipeline processor time.

A message costs ten times as much as an event in it, so that what has come within the pause leaves in one; half a second
is soon enough for whoever watches.
"""

MESSAGE_BYTES = 131_072
"""Of the events in one message, unless a single one has more: what a viewer holds at a time is bounded by that."""

MOST_ANNOUNCEMENTS = 1_000
"""That wait at the broker for a process which does not take them."""

log = structlog.get_logger()


class _Outgoing(NamedTuple):
    """An event on its way to the broker."""

    number: int
    body: bytes


class RabbitEvents(Events):
    """Hears who watches, and publishes for them. While the broker is away there are no events, and nothing else."""

    def __init__(
        self, url: str, names: EventNames, *, name: str, tls: TlsFiles = NO_FILES, timing: EventTiming | None = None
    ) -> None:
        super().__init__(Viewers((timing or EventTiming()).forget_seconds))
        self._names = names
        self._source = uuid.uuid4().hex[:12]
        self._number = 0
        """Of the newest event, those included that were dropped: so viewers see that there was one."""
        self._buffer: Buffer[_Outgoing] = Buffer()
        prepare = partial(declare_exchanges, names=names)
        self._link = Link(URL(url), name=f"{name} events", prepare=prepare, timing=Timing(), tls=tls, subject="events")
        self._running = asyncio.create_task(self._keep_up())

    @property
    def waiting(self) -> int:
        """How many events wait for the broker."""
        return len(self._buffer)

    async def close(self) -> None:
        """Tell nothing more. Never raises."""
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        await self._link.close()
        self._viewers.forget_all()

    def _carry(self, event: Event) -> None:
        if self._viewers.choose(event):
            body = b"" if self._buffer.is_full else encode_event(event)
            self._number += 1
            self._buffer.offer(_Outgoing(self._number, body), len(body))

    async def _keep_up(self) -> None:
        while (session := await self._link.next_session()) is not None:
            try:
                await self._serve(session)
            except QueueUnavailableError as error:
                session.drop(str(error))
            except Exception as error:
                log.exception("events.broken")
                session.drop(repr(error))
            await session.wait_lost()

    async def _serve(self, session: Session) -> None:
        """Listen for viewers and publish for them, until the session is lost."""
        async with session.extra_channel(Timing().answer_seconds) as channel, dropping_with(channel, session):
            own_queue = self._names.queue(self._names.viewers, self._source)
            async with answered_within(Timing().answer_seconds, "listening for viewers"):
                queue = await subscribe(channel, self._names.viewers, own_queue, most=MOST_ANNOUNCEMENTS)
                await queue.consume(self._hear, no_ack=True)
            sending = asyncio.create_task(self._send(channel))
            lost = asyncio.create_task(session.wait_lost())
            try:
                await asyncio.wait({sending, lost}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (sending, lost):
                    task.cancel()
                await asyncio.wait({sending, lost})
            if not sending.cancelled():
                sending.result()

    async def _hear(self, incoming: AbstractIncomingMessage) -> None:
        try:
            self._viewers.note(decode_announcement(incoming.body))
        except AnnouncementUnreadableError as error:
            log.debug("announcement.refused", why=str(error))

    async def _send(self, channel: AbstractChannel) -> None:
        """Publish what waits, without confirms; a broker that takes nothing keeps this waiting, and nobody else."""
        exchange = await get_exchange(channel, self._names.events)
        now = asyncio.get_running_loop().time
        not_before = now()
        while True:
            await self._buffer.wait()
            if (pause := not_before - now()) > 0:
                await asyncio.sleep(pause)
            not_before = now() + PAUSE_SECONDS
            self._publish_kept()  # so that it need not wait for another message
            for outgoing in _split(self._buffer.take(BURST)):
                told = Told(self._source, outgoing[-1].number, self._viewers.list_sampled())
                message = build_events_message((each.body for each in outgoing), told)
                with translated("publishing events"):
                    await exchange.publish(message, "", mandatory=False)
            self._buffer.take_dropped()  # their numbers are missing, which is what tells the viewers


def _split(outgoing: Iterable[_Outgoing]) -> Iterator[list[_Outgoing]]:
    """Give the events of one message after the other."""
    together: list[_Outgoing] = []
    size = 0
    for each in outgoing:
        size += len(each.body)
        if together and size > MESSAGE_BYTES:
            yield together
            together, size = [], len(each.body)
        together.append(each)
    if together:
        yield together
