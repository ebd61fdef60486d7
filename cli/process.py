"""One process with one or several roles: how they start, and how they stop in order. The one owner of signals."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import Any, TypeAlias
from urllib.parse import urlsplit, urlunsplit

import structlog

from common.directory.file import FileDirectory
from common.directory.source import DirectorySource
from common.queue import open_queue
from common.queue.protocol import Queue
from common.role import Role
from common.serving import bind, serve_http
from common.settings import Settings

CreateRole: TypeAlias = Callable[[Settings, Queue, DirectorySource], Role]
"""A role's class: made of the settings and of what the roles of a process share."""

log = structlog.get_logger()


async def run_role(settings: Settings, create: CreateRole) -> None:
    """Run one role on the queue and the directory that the settings name, until it is told to stop.

    Raises DirectoryError, PortUnavailableError and QueueUrlError before anything starts.
    """
    directory = open_file_directory(settings)
    async with open_settings_queue(settings, create.__name__.lower()) as queue:
        await run_until_stopped(settings, directory, [create(settings, queue, directory)], on_hangup=directory.reload)


def open_file_directory(settings: Settings) -> FileDirectory:
    """Read the directory's file; raises DirectoryError."""
    return FileDirectory(settings.directory, os.environ, downstream_url=settings.downstream)


def open_settings_queue(settings: Settings, name: str) -> AbstractAsyncContextManager[Queue]:
    """Open the queue that the settings name; its connections are called after ``name`` and this process."""
    return open_queue(
        settings.queue,
        prefix=settings.queue_prefix,
        ladder=settings.ladder,
        dead_letter_age=timedelta(days=settings.dead_letter_days),
        name=f"sluice {name} {os.getpid()}",
    )


async def run_until_stopped(
    settings: Settings,
    directory: DirectorySource,
    roles: Sequence[Role],
    *,
    on_hangup: Callable[[], None] = lambda: None,
    meanwhile: Callable[[], Coroutine[Any, Any, None]] | None = None,
) -> None:
    """Run the roles until SIGTERM or SIGINT; SIGHUP calls ``on_hangup``, and ``meanwhile`` runs beside them once."""
    listeners = [bind(settings.host, role.port) for role in roles]
    log.info("process.started", pid=os.getpid(), **_describe(settings))
    stopping = _own_signals(on_hangup)
    async with asyncio.TaskGroup() as tasks:
        background = [tasks.create_task(directory.watch())]
        if meanwhile is not None:
            background.append(tasks.create_task(meanwhile()))
        running = [
            tasks.create_task(_run_beside_server(role, listener, settings.shutdown_timeout, stopping))
            for role, listener in zip(roles, listeners, strict=True)
        ]
        await asyncio.wait(running)
        for task in background:
            task.cancel()
    log.info("process.stopped", pid=os.getpid())


async def _run_beside_server(role: Role, listener: socket.socket, grace: float, stopping: asyncio.Event) -> None:
    """Run one role beside its HTTP server, which goes on answering until the role is through."""
    serving_ends = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(serve_http(role.app, listener, role=role.health.role, stopping=serving_ends, grace=grace))
        async with _noted_draining(role, stopping):
            await role.run(stopping)
        serving_ends.set()


@asynccontextmanager
async def _noted_draining(role: Role, stopping: asyncio.Event) -> AsyncIterator[None]:
    async def note() -> None:
        await stopping.wait()
        role.health.draining = True

    noting = asyncio.create_task(note())
    try:
        yield
    finally:
        noting.cancel()


def _own_signals(on_hangup: Callable[[], None]) -> asyncio.Event:
    """Have SIGTERM and SIGINT stop the process in order, and SIGHUP call back."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    with contextlib.suppress(AttributeError):  # Windows has no SIGHUP
        loop.add_signal_handler(signal.SIGHUP, on_hangup)
    return stopping


def _describe(settings: Settings) -> dict[str, object]:
    """Give the effective settings for the log, without the password that a queue's URL may hold."""
    described = settings.model_dump(mode="json")
    url = urlsplit(settings.queue)
    if url.password:
        masked = url._replace(netloc=f"{url.username}:***@{url.hostname}" + (f":{url.port}" if url.port else ""))
        described["queue"] = urlunsplit(masked)
    return described
