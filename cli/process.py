"""One process with one or several roles: how they start, and how they stop in order. The one owner of signals."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import urlsplit, urlunsplit

import structlog

from cli.directory import open_directory
from cli.events import open_settings_events
from cli.queue import open_settings_queue
from common.direct_http import DirectApp
from common.directory.source import DirectorySource
from common.events.engine import NO_EVENTS, Events
from common.health import Health
from common.queue.protocol import Queue
from common.queue_watch import watch_queue
from common.role import Role
from common.serving import ServingOptions, allow_connections, bind, serve_http
from common.settings import Settings
from common.stopping import run_until
from common.tls import ServerTls
from common.tracing import recording

CreateRole: TypeAlias = Callable[[Settings, Queue, DirectorySource, Events], Role]
"""A role's class: made of the settings and of what the roles of a process share."""

log = structlog.get_logger()


async def run_role(settings: Settings, create: CreateRole) -> None:
    """Run one role on the queue and the directory that the settings name, until it is told to stop.

    Raises DirectoryError, PortUnavailableError, QueueUrlError, TlsError and TracesUnusableError before anything starts.
    """
    name = create.__name__.lower()
    async with (
        open_directory(settings) as directory,
        open_settings_queue(settings, name) as queue,
        open_settings_events(settings, name) as events,
    ):
        role = create(settings, queue, directory, events)
        await run_until_stopped(settings, directory, [role], events, queue=queue, on_hangup=directory.reload)


async def run_until_stopped(
    settings: Settings,
    directory: DirectorySource | None,
    roles: Sequence[Role],
    events: Events = NO_EVENTS,
    *,
    queue: Queue | None = None,
    on_hangup: Callable[[], None] = lambda: None,
    meanwhile: Callable[[], Coroutine[Any, Any, None]] | None = None,
) -> None:
    """Run the roles until SIGTERM or SIGINT; SIGHUP calls ``on_hangup``, and ``meanwhile`` runs beside them once.

    ``queue`` is the one that the process's metrics tell about, once however many roles share it.

    Raises PortUnavailableError, TlsError and TracesUnusableError before anything starts.
    """
    tls = ServerTls(settings.tls)
    options = ServingOptions(
        settings.shutdown_timeout, settings.connections_limit, tls.context, traced=settings.traces is not None
    )
    allow_connections(settings.connections_limit * len(roles))
    listeners = [bind(settings.host, role.port) for role in roles]
    stop = _Stop()
    with recording(settings.traces, "-".join(["sluice", *(role.health.role for role in roles)])):
        log.info("process.started", pid=os.getpid(), **_describe(settings))
        _own_signals(stop, on_hangup, tls.reload)
        async with asyncio.TaskGroup() as tasks:
            background = [tasks.create_task(_drain(stop, [role.health for role in roles], settings.drain_delay))]
            if directory is not None:
                background.append(tasks.create_task(directory.watch()))
            if queue is not None:
                background.append(tasks.create_task(watch_queue(queue)))
            if meanwhile is not None:
                background.append(tasks.create_task(meanwhile()))
            running = [
                tasks.create_task(_run_beside_server(role, directory, listener, options, stop, events=events))
                for role, listener in zip(roles, listeners, strict=True)
            ]
            await asyncio.wait(running)
            for task in background:
                task.cancel()
    log.info("process.stopped", pid=os.getpid())


@dataclass(frozen=True, slots=True)
class _Stop:
    """A stop in two steps: first the process says that it drains, and goes on; then it takes nothing more."""

    draining: asyncio.Event = field(default_factory=asyncio.Event)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self) -> None:
        """Begin to drain; whoever tells it twice does not want to wait."""
        if self.draining.is_set():
            self.stopping.set()
        self.draining.set()


async def _drain(stop: _Stop, healths: Sequence[Health], seconds: float) -> None:
    """Say that the process drains, and give load balancers these seconds to notice before it stops."""
    await stop.draining.wait()
    log.info("process.draining", seconds=seconds)
    for health in healths:
        health.draining = True
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.stopping.wait(), seconds)
    stop.stopping.set()


async def _run_beside_server(
    role: Role,
    directory: DirectorySource | None,
    listener: socket.socket,
    options: ServingOptions,
    stop: _Stop,
    *,
    events: Events,
) -> None:
    """Run one role beside its HTTP server, which goes on answering until the role is through."""
    serving_ends = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(
            serve_http(
                events.serve_beside(role.app, role.health),
                listener,
                options,
                role=role.health.role,
                draining=stop.draining,
                stopping=serving_ends,
                direct=role.app if isinstance(role.app, DirectApp) else None,
            )
        )
        if directory is None or await _is_read_before(stop.stopping, directory):
            await role.run(stop.stopping)
        serving_ends.set()


async def _is_read_before(stopping: asyncio.Event, directory: DirectorySource) -> bool:
    """Wait for the directory's first good copy: until then a role answers that it is not ready, and does nothing."""
    await run_until(stopping, directory.wait_until_read())
    return directory.is_read


def _own_signals(stop: _Stop, *on_hangup: Callable[[], None]) -> None:
    """Have SIGTERM and SIGINT stop the process in order, and SIGHUP call back."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.tell)

    def hang_up() -> None:
        for call in on_hangup:
            call()

    with contextlib.suppress(AttributeError):  # Windows has no SIGHUP
        loop.add_signal_handler(signal.SIGHUP, hang_up)


def _describe(settings: Settings) -> dict[str, object]:
    """Give the effective settings for the log, without the password that a queue's URL may hold."""
    described = settings.model_dump(mode="json")
    url = urlsplit(settings.queue)
    if url.password:
        masked = url._replace(netloc=f"{url.username}:***@{url.hostname}" + (f":{url.port}" if url.port else ""))
        described["queue"] = urlunsplit(masked)
    return described
