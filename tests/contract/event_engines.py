"""What an engine of live events has to offer for the contract suite to test it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import aio_pika
from pydantic import SecretStr
from starlette.applications import Starlette

from common.events.announcement import Announcement
from common.events.engine import Events, EventTiming, Missed, Seen
from common.events.event import Event, Stage
from common.events.exchanges import EventNames
from common.events.following import follow
from common.events.opening import open_events
from common.events.rabbitmq_viewing import watch_broker
from common.health import Health
from common.serving import ServingOptions, bind, serve_http

TIMING = EventTiming(announce_seconds=0.3, forget_seconds=1.5)
TOKEN = SecretStr("token-of-the-service")
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def event(number: int, *, serial: str = "12BAB34B54", key: str = "factory", text: str = "") -> Event:
    """An event that is recognised by its number."""
    return Event(
        NOON, Stage.MAPPED, f"6a1f0c52d3b19e4477aa01c9/{number}", key, "lorawan", serial,
        facts={"number": number}, details={"text": text},
    )  # fmt: skip


class EventEngine(Protocol):
    """One deployment that nobody watches at the beginning of a test."""

    def start(self) -> AbstractAsyncContextManager[Events]:
        """Have one more process tell events."""

    def watch(self, announcement: Announcement) -> AbstractAsyncContextManager[AsyncIterator[Seen]]:
        """Watch the processes that were started."""


class RabbitEventEngine:
    """Exchanges of one prefix on a broker."""

    def __init__(self, url: str, prefix: str) -> None:
        self.url = url
        self._prefix = prefix
        self.names = EventNames(prefix)

    @asynccontextmanager
    async def start(self) -> AsyncIterator[Events]:
        async with open_events(self.url, prefix=self._prefix, name=self._prefix, timing=TIMING) as events:
            yield events

    @asynccontextmanager
    async def watch(self, announcement: Announcement) -> AsyncIterator[AsyncIterator[Seen]]:
        async with self.watch_all(announcement) as seen:
            yield without_notices(seen)

    @asynccontextmanager
    async def watch_all(self, announcement: Announcement) -> AsyncIterator[AsyncIterator[Seen]]:
        """Watch, and be told as well why nothing is seen."""
        async with watch_broker(self.url, self.names, announcement, name=self._prefix, timing=TIMING) as seen:
            yield seen

    async def clean(self) -> None:
        async with await aio_pika.connect(self.url) as connection, connection.channel() as channel:
            await channel.exchange_delete(self.names.events)
            await channel.exchange_delete(self.names.viewers)


class ServedEventEngine:
    """Processes that share a queue in a file, each with a port."""

    def __init__(self, path: Path) -> None:
        self._queue = f"sqlite:{path}"
        self.urls: list[str] = []

    @asynccontextmanager
    async def start(self) -> AsyncIterator[Events]:
        async with open_events(self._queue, prefix="", name="", token=TOKEN, timing=TIMING) as events:
            health = Health("test", list, started=True)
            stopping = asyncio.Event()
            listener = bind("127.0.0.1", 0)
            app = events.serve_beside(Starlette(), health)
            options = ServingOptions(grace=1)
            serving = asyncio.create_task(
                serve_http(app, listener, options, role="test", draining=stopping, stopping=stopping)
            )
            self.urls.append(f"http://127.0.0.1:{listener.getsockname()[1]}")
            try:
                yield events
            finally:
                health.draining = True
                stopping.set()
                await serving

    @asynccontextmanager
    async def watch(self, announcement: Announcement) -> AsyncIterator[AsyncIterator[Seen]]:
        async with follow(self.urls, announcement, TOKEN, timing=TIMING) as seen:
            yield without_notices(seen)


async def without_notices(seen: AsyncIterator[Seen]) -> AsyncIterator[Seen]:
    """Give events and how many were missed, without why nothing was there to be seen at the beginning."""
    async for each in seen:
        if not (isinstance(each, Missed) and each.events is None):
            yield each
