"""The worker as a role: its parts, put together."""

import asyncio
from http.cookiejar import CookieJar, DefaultCookiePolicy

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport
from starlette.applications import Starlette
from starlette.types import ASGIApp

from common.directory.source import DirectorySource
from common.health import Health, create_health_routes
from common.queue.protocol import Queue
from common.settings import Settings
from workers.consumer import Consumer
from workers.downstream import Downstream
from workers.pipeline import Pipeline
from workers.posting import Posting
from workers.resolver import Resolver
from workers.retrying import BlipRetrying
from workers.settlement import Settlement

QUEUE_POLL_SECONDS = 0.1

KEEP_ALIVE_SECONDS = 30
"""How long an idle connection downstream is kept for the next post."""


class Worker:
    """``sluice worker``."""

    def __init__(
        self,
        settings: Settings,
        queue: Queue,
        directory: DirectorySource,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._settings = settings
        self._transport = transport
        self._queue = queue
        self._directory = directory
        self._downstream: Downstream | None = None
        self.port = settings.worker_port
        self.health = Health("worker", self._degraded)
        self.app: ASGIApp = Starlette(routes=create_health_routes(self.health))

    async def run(self, stopping: asyncio.Event) -> None:
        """Consume until ``stopping`` is set, then finish what is in hand."""
        settings = self._settings
        async with create_client(settings, self._transport) as client:
            downstream = self._downstream = Downstream(
                client,
                self._directory,
                BlipRetrying(settings.blip_seconds),
                in_flight=settings.posts_in_flight,
                seconds=settings.downstream_timeout,
            )
            resolver = Resolver(
                downstream.resolve,
                cache_size=settings.resolver_cache_size,
                found_ttl=settings.resolver_found_ttl,
                unknown_ttl=settings.resolver_unknown_ttl,
            )
            posting = Posting(downstream, resolver)
            pipeline = Pipeline(self._directory, resolver, posting)
            settlement = Settlement(self._queue, settings.ladder)
            consumer = Consumer(
                self._queue, pipeline.process, settlement, uplinks_in_hand=settings.uplinks_in_hand, hurry=posting.stop
            )
            noting = asyncio.create_task(self._note_queue())
            await consumer.run(stopping, grace=settings.shutdown_timeout)
            noting.cancel()

    async def _note_queue(self) -> None:
        """Be ready from the moment when the queue is there for the first time."""
        while self._queue.unavailable is not None:  # noqa: ASYNC110 - a queue has no event for it
            await asyncio.sleep(QUEUE_POLL_SECONDS)
        self.health.started = True

    def _degraded(self) -> list[str]:
        parts = {
            "queue": self._queue.unavailable,
            "directory": self._directory.degraded,
            "downstream": self._downstream and self._downstream.unavailable,
        }
        return [f"{part}: {why}" for part, why in parts.items() if why]


def create_client(settings: Settings, transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """Give the client for everything downstream; ``transport`` is another way there than over the network.

    httpx's own transport manages some 300 posts a second here, aiohttp beneath the same interface several times that.
    No redirects and no environment proxies: an answer from anywhere else is not the downstream's. No cookies: what is
    said to one tenant's request has no place in another's.
    """

    def create_session() -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=settings.posts_in_flight, keepalive_timeout=KEEP_ALIVE_SECONDS)
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())

    return httpx.AsyncClient(
        transport=transport or AiohttpTransport(client=create_session),
        headers={"Accept-Encoding": "identity"},
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        timeout=settings.downstream_timeout,
        follow_redirects=False,
    )
