"""The worker as a role: its parts, put together."""

import asyncio
import contextlib

import httpx
from starlette.applications import Starlette
from starlette.types import ASGIApp

from common.directory.source import DirectorySource
from common.events.engine import NO_EVENTS, Events
from common.events.telling import UplinkEvents
from common.health import Health, create_health_routes
from common.queue.protocol import Queue, QueueUnavailableError
from common.settings import Settings
from workers.breaker import Breaker
from workers.consumer import Consumer
from workers.downstream import Downstream
from workers.events import WorkerEvents
from workers.governor import Governor
from workers.http_client import create_client
from workers.key_watch import KeyWatch
from workers.pipeline import Pipeline
from workers.posting import Posting
from workers.refusals import Refusals
from workers.resolver import Resolver
from workers.settlement import Settlement
from workers.traced import traced

QUEUE_POLL_SECONDS = 0.1

CONSUMERS_POLL_SECONDS = 5.0
"""How soon the workers share the downstream's limit anew when one comes or goes."""


class Worker:
    """``sluice worker``."""

    def __init__(
        self,
        settings: Settings,
        queue: Queue,
        directory: DirectorySource,
        events: Events = NO_EVENTS,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._settings = settings
        self._transport = transport
        self._queue = queue
        self._directory = directory
        self._events = WorkerEvents(UplinkEvents(events, directory))
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
                blip_seconds=settings.blip_seconds,
            )
            resolver = create_resolver(settings, downstream)
            self._breaker, self._refusals = downstream.breaker, resolver.refusals
            posting = Posting(downstream, resolver)
            pipeline = Pipeline(self._directory, resolver, posting, self._key_watch, self._events)
            settlement = Settlement(settings.ladder, self._events)
            consumer = Consumer(
                self._queue,
                traced(pipeline.process),
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


def create_resolver(settings: Settings, downstream: Downstream) -> Resolver:
    """Give a resolver that asks this downstream."""
    return Resolver(
        downstream.resolve,
        cache_size=settings.resolver_cache_size,
        found_ttl=settings.resolver_found_ttl,
        unknown_ttl=settings.resolver_unknown_ttl,
    )
