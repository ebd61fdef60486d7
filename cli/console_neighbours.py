"""What the console looks at: other processes by their URLs, or the roles of its own process by a call."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

import httpx

from cli.console_explaining import explain_sample
from cli.directory import read_directory
from cli.tail_source import TailError, open_seen
from common.directory.model import Directory
from common.directory.problems import DirectoryError
from common.directory.source import DirectorySource
from common.events.announcement import Announcement
from common.events.engine import Events, Missed, Seen
from common.events.event import decode_event
from common.events.hub import EventHub, TooManyViewersError
from common.events.streaming import BURST
from common.role import Role
from common.settings import Settings
from common.tls import TlsError, create_client_context
from console.live import WatchError
from console.registry_api import ANSWER_SECONDS
from console.service import Neighbours
from registry.service import Registry

EVERYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - nothing is bound here
"""Addresses to listen on that nobody can ask for."""

HEARD_SECONDS = 10.0
"""How often a viewer of this process says that it is still there."""


def create_neighbours(settings: Settings) -> Neighbours:
    """Give what the settings name. Raises TlsError."""
    tls = create_client_context(settings.tls)

    def create_client(url: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=url, verify=tls, timeout=ANSWER_SECONDS, trust_env=False)

    return Neighbours(
        registry=create_client(settings.registry_url),
        processes=[create_client(url) for url in list_processes(settings)],
        explain=partial(explain_sample, settings),
        find_directory=partial(_find_directory, settings),
        watch=partial(_watch, settings),
    )


def create_inner_neighbours(
    settings: Settings, registry: Registry, directory: DirectorySource, events: Events, roles: Sequence[Role]
) -> Neighbours:
    """Give the roles of this process, which are asked without a socket."""

    def create_client(role: Role) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=f"http://{role.health.role}", transport=httpx.ASGITransport(role.app), timeout=ANSWER_SECONDS
        )

    async def find_directory() -> Directory:
        return directory.current

    return Neighbours(
        registry=create_client(registry),
        processes=[create_client(role) for role in roles],
        explain=partial(explain_sample, settings),
        find_directory=find_directory,
        watch=partial(watch_hub, events) if isinstance(events, EventHub) else partial(_watch, settings),
    )


def list_processes(settings: Settings) -> list[str]:
    """Give the processes that the settings name, else the ports that they give the roles, on this machine."""
    named = [url.strip().rstrip("/") for url in settings.console_processes.split(",") if url.strip()]
    if named:
        return named
    scheme = "http" if settings.tls_cert is None else "https"
    host = "127.0.0.1" if settings.host in EVERYWHERE else settings.host
    ports = (settings.ingest_port, settings.worker_port, settings.registry_port)
    return [f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}" for port in ports if port]


@asynccontextmanager
async def watch_hub(hub: EventHub, announcement: Announcement) -> AsyncIterator[AsyncIterator[Seen]]:
    """Watch what this process itself tells, as long as the context lasts. Raises :class:`WatchError`."""
    try:
        view = hub.view(announcement)
    except TooManyViewersError:
        raise WatchError("too many viewers watch this process") from None

    async def give() -> AsyncIterator[Seen]:
        while not view.is_over:
            await view.buffer.wait(HEARD_SECONDS)
            for encoded in view.buffer.take(BURST):
                yield decode_event(encoded)
            if dropped := view.buffer.take_dropped():
                yield Missed("they came too fast", dropped)

    async def announce() -> None:
        while True:
            await asyncio.sleep(HEARD_SECONDS)
            hub.view(announcement)

    announcing = asyncio.create_task(announce())
    try:
        yield give()
    finally:
        announcing.cancel()
        hub.leave(announcement.viewer)


def _watch(settings: Settings, announcement: Announcement) -> AbstractAsyncContextManager[AsyncIterator[Seen]]:
    urls = list_processes(settings) if settings.queue.startswith("sqlite:") else []
    try:
        return open_seen(settings, announcement, urls)
    except (TailError, TlsError) as error:
        raise WatchError(str(error)) from error


async def _find_directory(settings: Settings) -> Directory | None:
    try:
        return await read_directory(settings)
    except (DirectoryError, TlsError):
        return None
