"""``sluice run``: every role in one process, on storage of its own, with nothing else to install or to start."""

from collections.abc import Callable, Coroutine
from typing import Any

import httpx

from cli.directory import open_directory
from cli.process import open_settings_queue, run_until_stopped
from cli.registry import create_registry, tell_profile_token
from cli.registry_directory import RegistryDirectory
from common.queue.protocol import Queue
from common.settings import Settings
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
    """Run ingest, worker and registry: the registry is the directory and the downstream.

    The worker reaches the registry by a call and not through a socket; the request and the answer are the same.
    """
    async with create_registry(settings) as registry, open_settings_queue(settings, "run") as queue:
        directory = await RegistryDirectory.open(registry, f"http://registry:{settings.registry_port}")
        ingest = Ingest(settings, queue, directory)
        worker = Worker(settings, queue, directory, transport=httpx.ASGITransport(registry.app))
        tell_profile_token(settings, registry)
        running = Running(settings, registry, directory, queue, ingest)
        await run_until_stopped(
            settings,
            directory,
            [ingest, worker, registry],
            meanwhile=None if meanwhile is None else lambda: meanwhile(running),
        )


async def run_with_directory(settings: Settings) -> None:
    """Run ingest and worker with the directory of a file or of a registry elsewhere: an edge box."""
    async with open_directory(settings) as directory, open_settings_queue(settings, "run") as queue:
        roles = [create(settings, queue, directory) for create in (Ingest, Worker)]
        await run_until_stopped(settings, directory, roles, on_hangup=directory.reload)
