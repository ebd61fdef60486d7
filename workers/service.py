"""The worker as a role: its parts, put together."""

import asyncio

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


class Worker:
    """``sluice worker``."""

    def __init__(self, settings: Settings, queue: Queue, directory: DirectorySource) -> None:
        self._settings = settings
        self._queue = queue
        self._directory = directory
        self._downstream: Downstream | None = None
        self.port = settings.worker_port
        self.health = Health("worker", self._degraded)
        self.app: ASGIApp = Starlette(routes=create_health_routes(self.health))

    async def run(self, stopping: asyncio.Event) -> None:
        """Consume until ``stopping`` is set, then finish what is in hand."""
        settings = self._settings
        async with create_client(settings) as client:
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
            pipeline = Pipeline(self._directory, resolver, Posting(downstream, resolver))
            settlement = Settlement(self._queue, settings.ladder)
            consumer = Consumer(self._queue, pipeline.process, settlement, uplinks_in_hand=settings.uplinks_in_hand)
            self.health.started = True
            await consumer.run(stopping, grace=settings.shutdown_timeout)

    def _degraded(self) -> list[str]:
        parts = {
            "queue": self._queue.unavailable,
            "directory": self._directory.degraded,
            "downstream": self._downstream and self._downstream.unavailable,
        }
        return [f"{part}: {why}" for part, why in parts.items() if why]


def create_client(settings: Settings) -> httpx.AsyncClient:
    """Give the client for everything downstream.

    httpx's own transport manages some 300 posts a second here, aiohttp beneath the same interface several times that.
    No redirects and no environment proxies: an answer from anywhere else is not the downstream's.
    """
    in_flight = settings.posts_in_flight
    limits = httpx.Limits(max_connections=in_flight, max_keepalive_connections=in_flight, keepalive_expiry=30)
    return httpx.AsyncClient(
        transport=AiohttpTransport(limits=limits, trust_env=False),
        timeout=settings.downstream_timeout,
        follow_redirects=False,
    )
