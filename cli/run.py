"""``sluice run``: every role in one process, on storage of its own, with nothing else to install or to start."""

from collections.abc import Callable, Coroutine
from typing import Any

import httpx

from cli.console_neighbours import create_inner_neighbours
from cli.directory import open_directory
from cli.events import open_settings_events
from cli.process import run_until_stopped
from cli.queue import open_settings_queue
from cli.registry import create_registry, tell_profile_token
from cli.registry_directory import RegistryDirectory
from common.queue.protocol import Queue
from common.settings import Settings
from console.service import Console
from ingest.service import Ingest
from registry.service import Registry
from workers.service import Worker

Meanwhile = Callable[["Running"], Coroutine[Any, Any, None]]


class Running:
    """What runs in this process, for whoever wants to use it from inside."""

    def __init__(
        self, settings: Settings, registry: Registry, directory: RegistryDirectory, queue: Queue, ingest: Ingest
    ) -> None:
        self.settings = settings
        self.registry = registry
        self.directory = directory
        self.queue = queue
        self.ingest = ingest


async def run_with_registry(settings: Settings, meanwhile: Meanwhile | None = None) -> None:
    """Run ingest, worker, registry and console: the registry is the directory and the downstream.

    Worker and console reach the registry by a call and not through a socket; request and answer are the same.
    """
    async with (
        open_settings_events(settings, "run") as events,
        create_registry(settings, events) as registry,
        open_settings_queue(settings, "run") as queue,
    ):
        directory = await RegistryDirectory.open(registry, f"http://registry:{settings.registry_port}")
        ingest = Ingest(settings, queue, directory, events)
        worker = Worker(settings, queue, directory, events, transport=httpx.ASGITransport(registry.app))
        neighbours = create_inner_neighbours(settings, registry, directory, events, [ingest, worker, registry])
        console = Console(settings, queue, neighbours)
        tell_profile_token(settings, registry)
        running = Running(settings, registry, directory, queue, ingest)
        await run_until_stopped(
            settings,
            directory,
            [ingest, worker, registry, console],
            events,
            queue=queue,
            meanwhile=None if meanwhile is None else lambda: meanwhile(running),
        )


async def run_with_directory(settings: Settings) -> None:
    """Run ingest and worker with the directory of a file or of a registry elsewhere: an edge box."""
    async with (
        open_directory(settings) as directory,
        open_settings_queue(settings, "run") as queue,
        open_settings_events(settings, "run") as events,
    ):
        roles = [create(settings, queue, directory, events) for create in (Ingest, Worker)]
        await run_until_stopped(settings, directory, roles, events, queue=queue, on_hangup=directory.reload)
