"""``sluice run``: every role in one process, on storage of its own, with nothing else to install or to start."""

from collections.abc import Callable, Coroutine
from typing import Any

import httpx
import structlog

from cli.console_neighbours import NobodySignsInError, create_inner_neighbours
from cli.directory import open_directory
from cli.events import open_settings_events
from cli.process import run_until_stopped
from cli.queue import open_settings_queue
from cli.registry import tell_profile_token
from cli.registry_directory import RegistryDirectory
from common.queue.protocol import Queue
from common.role import Role
from common.settings import Settings
from console.service import Console
from ingest.service import Ingest
from registry.service import Registry
from workers.service import Worker

log = structlog.get_logger()

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
        Registry(settings, events) as registry,
        open_settings_queue(settings, "run") as queue,
    ):
        directory = await RegistryDirectory.open(registry, f"http://registry:{settings.registry_port}")
        ingest = Ingest(settings, queue, directory, events)
        worker = Worker(settings, queue, directory, events, transport=httpx.ASGITransport(registry.app))
        neighbours = create_inner_neighbours(settings, directory, events, [ingest, worker, registry], registry=registry)
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
    """Run ingest, worker and console with the directory of a file or of a registry elsewhere: an edge box.

    The console is left out where nobody could sign in at it.
    """
    async with (
        open_directory(settings) as directory,
        open_settings_queue(settings, "run") as queue,
        open_settings_events(settings, "run") as events,
    ):
        roles: list[Role] = [create(settings, queue, directory, events) for create in (Ingest, Worker)]
        try:
            roles.append(Console(settings, queue, create_inner_neighbours(settings, directory, events, roles[:])))
        except NobodySignsInError as error:
            log.info("console.left_out", why=str(error))
        await run_until_stopped(settings, directory, roles, events, queue=queue, on_hangup=directory.reload)
