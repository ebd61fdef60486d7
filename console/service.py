"""The console as a role: its parts, put together."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import httpx
from starlette.types import ASGIApp

from common.health import Health, create_health_routes
from common.queue.protocol import Queue
from common.settings import Settings
from common.stopping import run_until
from console.app import create_app
from console.connectors import ConnectorRoutes
from console.dead_letter import LetterRoutes
from console.dead_letters import DeadLetterRoutes
from console.devices import DeviceRoutes
from console.jobs import Jobs
from console.keys import KeyRoutes
from console.letters import FindDirectory
from console.live import LiveRoutes, Watch
from console.networks import NetworkRoutes
from console.overview import OverviewRoutes
from console.pages import Pages
from console.processes import FindAddresses, Processes
from console.registry_api import RegistryApi
from console.saved_maps import SavedMaps
from console.sessions import Sessions
from console.signing_in import SigningIn
from console.testing_keys import ExplainBody
from console.visit import Reception


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What the console looks at beside the queue: clients of the registry and of each process, by name; how to explain.

    The base URL of each is set. The console closes them. ``find_directory`` gives the directory for what it adds to a
    letter's story, ``watch`` the live events, ``find_addresses`` the replicas behind a process's URL. Where there is no
    registry, ``directory_file`` has the networks and the keys, and :class:`console.no_registry.NoRegistry` answers.
    """

    registry: httpx.AsyncClient
    processes: Sequence[httpx.AsyncClient]
    explain: ExplainBody
    find_directory: FindDirectory
    watch: Watch
    find_addresses: FindAddresses | None = None
    directory_file: str | None = None


def find_ingest_url(settings: Settings) -> str | None:
    """Give where gateways post; None where the settings leave it open."""
    return settings.ingest_url or (settings.url_of(settings.ingest_port) if settings.ingest_port else None)


class Console:
    """``sluice console``, and the same in one process with the other roles."""

    def __init__(self, settings: Settings, queue: Queue, neighbours: Neighbours) -> None:
        self._queue = queue
        self._registry = RegistryApi(neighbours.registry)
        self._processes = Processes(neighbours.processes, queue, neighbours.find_addresses)
        self._jobs = Jobs()
        self.port = settings.console_port
        self.health = Health("console", self._degraded)
        self.sessions = Sessions()
        """Who is signed in."""
        pages = Pages(neighbours.directory_file)
        reception, saved_maps = Reception(self.sessions, self._registry, pages), SavedMaps()
        self.live = LiveRoutes(reception, neighbours.watch, lambda: self.health.draining)
        routes = [
            *create_health_routes(self.health),
            *SigningIn(self.sessions, self._registry, pages).routes,
            *OverviewRoutes(reception, self._processes).routes,
            *NetworkRoutes(reception).routes,
            *ConnectorRoutes(reception).routes,
            *DeviceRoutes(reception).routes,
            *KeyRoutes(reception, neighbours.explain, find_ingest_url(settings)).routes,
            *DeadLetterRoutes(reception, queue, self._jobs, saved_maps, neighbours.find_directory).routes,
            *LetterRoutes(
                reception,
                queue,
                saved_maps,
                find_directory=neighbours.find_directory,
                explain=neighbours.explain,
                directory_file=neighbours.directory_file,
            ).routes,
            *self.live.routes,
        ]
        self.app: ASGIApp = create_app(routes, self.sessions, self._registry, pages)

    async def run(self, stopping: asyncio.Event) -> None:
        """Serve until ``stopping`` is set, and look at the other processes meanwhile."""
        self.health.started = True
        try:
            await run_until(stopping, self._processes.watch())
        finally:
            await self._jobs.stop()
            await self._registry.close()
            await self._processes.close()

    def _degraded(self) -> list[str]:
        return [] if self._queue.unavailable is None else [f"queue: {self._queue.unavailable}"]
