"""What stands beside a console in tests."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx

from common.directory.model import Directory
from common.events.announcement import Announcement
from common.events.engine import Seen


@dataclass
class Surroundings(httpx.AsyncBaseTransport):
    """The way to a registry, which a test may cut; processes, a directory, and live events."""

    registry: httpx.AsyncBaseTransport
    registry_is_away: bool = False
    processes: list[httpx.AsyncClient] = field(default_factory=list)
    directory: Directory | None = None
    seen: list[Seen] = field(default_factory=list)
    announced: list[Announcement] = field(default_factory=list)
    when_seen: Callable[[], None] = lambda: None
    """Is called when everything was seen; nothing more comes then."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.registry_is_away:
            raise httpx.ConnectError("refused", request=request)
        return await self.registry.handle_async_request(request)

    async def find_directory(self) -> Directory | None:
        return self.directory

    @asynccontextmanager
    async def watch(self, announcement: Announcement) -> AsyncIterator[AsyncIterator[Seen]]:
        self.announced.append(announcement)

        async def give() -> AsyncIterator[Seen]:
            for each in self.seen:
                yield each
            self.when_seen()
            await asyncio.Event().wait()

        yield give()
