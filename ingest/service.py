"""The ingest as a role: its parts, put together."""

import asyncio

from starlette.types import ASGIApp

from common.directory.source import DirectorySource
from common.events.engine import NO_EVENTS, Events
from common.events.telling import UplinkEvents
from common.health import Health
from common.queue.protocol import Queue
from common.settings import Settings
from common.stopping import run_until
from ingest.acceptance import Acceptance
from ingest.openapi import build_openapi
from ingest.routes import Limits, UplinkEndpoint, create_app


class Ingest:
    """``sluice ingest``."""

    def __init__(
        self, settings: Settings, queue: Queue, directory: DirectorySource, events: Events = NO_EVENTS
    ) -> None:
        self._directory = directory
        telling = UplinkEvents(events, directory)
        self._acceptance = Acceptance(
            queue,
            confirm_timeout=settings.confirm_timeout,
            waiting_limit=settings.waiting_limit,
            queue_limit=settings.queue_limit,
            events=telling,
        )
        limits = Limits(settings.body_limit, settings.items_limit, settings.request_timeout)
        self.port = settings.ingest_port
        self.health = Health("ingest", self._degraded)
        self.app: ASGIApp = create_app(
            UplinkEndpoint(directory, self._acceptance, limits, telling),
            self.health,
            build_openapi(body_limit=limits.body, items_limit=limits.items),
        )

    async def run(self, stopping: asyncio.Event) -> None:
        """Watch the queue until ``stopping`` is set; ready from the first confirm on."""
        await run_until(stopping, self._watch())

    async def wait_until_ready(self) -> None:
        """Return once the queue has confirmed that it takes messages."""
        await self._acceptance.gate.first_confirm.wait()

    async def _watch(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._acceptance.watch())
            await self.wait_until_ready()
            self.health.started = True

    def _degraded(self) -> list[str]:
        parts = {"queue": self._acceptance.gate.closed_because, "directory": self._directory.degraded}
        return [f"{part}: {why}" for part, why in parts.items() if why is not None]
