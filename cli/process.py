"""One process with one or several roles: what they share, how they start, how they stop. The one owner of signals."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TypeAlias
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


async def run_roles(settings: Settings, creators: Sequence[CreateRole]) -> None:
    """Run the roles until SIGTERM or SIGINT; SIGHUP reads the directory anew.

    Raises DirectoryError, OSError (a port in use) and ValueError (a queue that nobody speaks) before anything starts.
    """
    directory = FileDirectory(settings.directory, os.environ, downstream_url=settings.downstream)
    opening = open_queue(
        settings.queue,
        prefix=settings.queue_prefix,
        ladder=settings.ladder,
        dead_letter_age=timedelta(days=settings.dead_letter_days),
        name=f"sluice {'+'.join(create.__name__.lower() for create in creators)} {os.getpid()}",
    )
    async with opening as queue:
        roles = [create(settings, queue, directory) for create in creators]
        listeners = [bind(settings.host, role.port) for role in roles]
        log.info("process.started", pid=os.getpid(), **_describe(settings))
        stopping = _own_signals(directory)
        async with asyncio.TaskGroup() as tasks:
            following = tasks.create_task(directory.watch())
            running = [
                tasks.create_task(_run_role(role, listener, settings.shutdown_timeout, stopping))
                for role, listener in zip(roles, listeners, strict=True)
            ]
            await asyncio.wait(running)
            following.cancel()
    log.info("process.stopped", pid=os.getpid())


async def _run_role(role: Role, listener: socket.socket, grace: float, stopping: asyncio.Event) -> None:
    """Run one role beside its HTTP server, which goes on answering until the role is through."""
    serving_ends = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(serve_http(role.app, listener, role=role.health.role, stopping=serving_ends, grace=grace))
        tasks.create_task(_note_draining(role, stopping))
        await role.run(stopping)
        serving_ends.set()


async def _note_draining(role: Role, stopping: asyncio.Event) -> None:
    await stopping.wait()
    role.health.draining = True


def _own_signals(directory: FileDirectory) -> asyncio.Event:
    """Have SIGTERM and SIGINT stop the process in order, and SIGHUP read the directory."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    with contextlib.suppress(AttributeError):  # Windows has no SIGHUP
        loop.add_signal_handler(signal.SIGHUP, directory.reload)
    return stopping


def _describe(settings: Settings) -> dict[str, object]:
    """Give the effective settings for the log, without the password that a queue's URL may hold."""
    url = urlsplit(settings.queue)
    if url.password:
        masked = url._replace(netloc=f"{url.username}:***@{url.hostname}" + (f":{url.port}" if url.port else ""))
        return settings.model_dump(mode="json") | {"queue": urlunsplit(masked)}
    return settings.model_dump(mode="json")
