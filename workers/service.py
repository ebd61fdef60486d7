"""The worker as a role: its parts, put together."""

import asyncio
import contextlib
from http.cookiejar import CookieJar, DefaultCookiePolicy

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport
from starlette.applications import Starlette
from starlette.types import ASGIApp

from common.directory.source import DirectorySource
from common.health import Health, create_health_routes
from common.queue.protocol import Queue, QueueUnavailableError
from common.settings import Settings
from common.tls import create_client_context
from workers.breaker import Breaker
from workers.bulk import REQUESTS_IN_FLIGHT
from workers.consumer import Consumer
from workers.downstream import Downstream
from workers.governor import Governor
from workers.key_watch import KeyWatch
from workers.pipeline import Pipeline
from workers.posting import Posting
from workers.refusals import Refusals
from workers.resolver import Resolver
from workers.settlement import Settlement

QUEUE_POLL_SECONDS = 0.1

CONSUMERS_POLL_SECONDS = 5.0
"""How soon the workers share the downstream's limit anew when one comes or goes."""

PROBES = 1
"""Connections that are not for posts: whether the downstream is there must be seen when all of them hang."""

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
        self._governor = Governor(directory, crowd=settings.uplinks_in_hand // 2)
        self._key_watch = KeyWatch()
        self._breaker: Breaker | None = None
        self._refusals: Refusals | None = None
        self.port = settings.worker_port
        self.health = Health("worker", self._degraded)
        self.app: ASGIApp = Starlette(routes=create_health_routes(self.health))

    async def run(self, stopping: asyncio.Event) -> None:
        """Consume until ``stopping`` is set, then finish what is in hand."""
        settings = self._settings
        async with create_client(settings, self._transport) as client:
            downstream = Downstream(
                client,
                self._directory,
                self._governor,
                in_flight=settings.posts_in_flight,
                seconds=settings.downstream_timeout,
                blip_seconds=settings.blip_seconds,
            )
            resolver = Resolver(
                downstream.resolve,
                cache_size=settings.resolver_cache_size,
                found_ttl=settings.resolver_found_ttl,
                unknown_ttl=settings.resolver_unknown_ttl,
            )
            self._breaker, self._refusals = downstream.breaker, resolver.refusals
            posting = Posting(downstream, resolver)
            pipeline = Pipeline(self._directory, resolver, posting, self._key_watch)
            settlement = Settlement(settings.ladder)
            consumer = Consumer(
                self._queue,
                pipeline.process,
                settlement,
                downstream.breaker,
                uplinks_in_hand=settings.uplinks_in_hand,
                hurry=lambda: self._hurry(posting),
            )
            noting = asyncio.create_task(self._note_queue())
            try:
                await consumer.run(stopping, grace=settings.shutdown_timeout)
            finally:
                noting.cancel()
                await downstream.breaker.stop()

    def _hurry(self, posting: Posting) -> None:
        """Begin nothing more, and wait for no turn."""
        posting.stop()
        self._governor.stop()

    async def _note_queue(self) -> None:
        """Be ready from the moment when the queue is there for the first time; then count who shares the limit."""
        while self._queue.unavailable is not None:  # noqa: ASYNC110 - a queue has no event for it
            await asyncio.sleep(QUEUE_POLL_SECONDS)
        self.health.started = True
        before = 1
        while True:
            with contextlib.suppress(QueueUnavailableError):
                found = await self._queue.count_consumers()
                # Whose breaker opens consumes no more for a while, and is back before the next count or the one after.
                self._governor.workers, before = max(found, before), found
            await asyncio.sleep(CONSUMERS_POLL_SECONDS)

    def _degraded(self) -> list[str]:
        parts = {
            "queue": self._queue.unavailable,
            "directory": self._directory.degraded,
            "downstream": self._breaker and self._breaker.why_open,
        }
        degraded = [f"{part}: {why}" for part, why in parts.items() if why]
        paused = (f"profile {name}: paused by a 429 for {left:.0f} s" for name, left in self._governor.paused.items())
        refused = (
            f"key {key}: held back, the downstream refuses its authorization or its network's token"
            for key in (self._refusals.keys if self._refusals else ())
        )
        dying = (f"key {key}: held back, its uplinks mostly become dead letters" for key in self._key_watch.held)
        return [*degraded, *paused, *refused, *dying]


def create_client(settings: Settings, transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """Give the client for everything downstream; ``transport`` is another way there than over the network.

    httpx's own transport manages some 300 posts a second here, aiohttp beneath the same interface several times that.
    No redirects and no environment proxies: an answer from anywhere else is not the downstream's. No cookies: what is
    said to one tenant's request has no place in another's. Raises :class:`common.tls.TlsError`.
    """
    tls = create_client_context(settings.tls)

    def create_session() -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=settings.posts_in_flight + REQUESTS_IN_FLIGHT + PROBES, keepalive_timeout=KEEP_ALIVE_SECONDS, ssl=tls
        )
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())

    return httpx.AsyncClient(
        transport=transport or AiohttpTransport(client=create_session),
        headers={"Accept-Encoding": "identity"},
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        timeout=settings.downstream_timeout,
        follow_redirects=False,
    )
