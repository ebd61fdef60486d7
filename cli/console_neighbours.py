"""What the console looks at: other processes by their URLs, or the roles of its own process by a call."""

import asyncio
import socket
import ssl
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

import httpx

from cli.console_explaining import explain_sample
from cli.directory import find_directory_file, read_directory
from cli.tail_source import TailError, list_urls, open_seen
from common.directory.model import Directory
from common.directory.problems import DirectoryError
from common.directory.source import DirectorySource
from common.events.announcement import Announcement
from common.events.engine import Events, Missed, Sampled, Seen
from common.events.event import decode_event
from common.events.hub import EventHub, TooManyViewersError
from common.events.streaming import BURST
from common.role import Role
from common.settings import Settings
from common.tls import TlsError, create_client_context
from console.live import WatchError
from console.no_registry import NoRegistry
from console.registry_api import ANSWER_SECONDS
from console.service import Neighbours
from registry.service import Registry

HEARD_SECONDS = 10.0
"""How often a viewer of this process says that it is still there."""


class NobodySignsInError(Exception):
    """Nobody could sign in at the console. The message says why, and what to do."""


def create_neighbours(settings: Settings) -> Neighbours:
    """Give what the settings name. Raises TlsError and :class:`NobodySignsInError`."""
    tls = create_client_context(settings.tls)
    file = find_directory_file(settings)
    return Neighbours(
        registry=_create_registry_client(settings, file, tls),
        processes=[_create_client(url, tls) for url in list_processes(settings)],
        explain=partial(explain_sample, settings),
        find_directory=partial(_find_directory, settings),
        watch=partial(_watch, settings),
        find_addresses=find_addresses,
        directory_file=file,
    )


def create_inner_neighbours(
    settings: Settings,
    directory: DirectorySource,
    events: Events,
    roles: Sequence[Role],
    *,
    registry: Registry | None = None,
) -> Neighbours:
    """Give the roles of this process, which are asked without a socket, as is its ``registry`` where it has one.

    Raises TlsError and :class:`NobodySignsInError`.
    """
    file = None if registry is not None else find_directory_file(settings)

    def create_role_client(role: Role) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=f"http://{role.health.role}", transport=httpx.ASGITransport(role.app), timeout=ANSWER_SECONDS
        )

    async def find_directory() -> Directory | None:
        return directory.current if directory.is_read else None

    return Neighbours(
        registry=create_role_client(registry)
        if registry is not None
        else _create_registry_client(settings, file, create_client_context(settings.tls)),
        processes=[create_role_client(role) for role in roles],
        explain=partial(explain_sample, settings),
        find_directory=find_directory,
        watch=partial(watch_hub, events) if isinstance(events, EventHub) else partial(_watch, settings),
        directory_file=file,
    )


def find_registry_url(settings: Settings) -> str:
    """Give the registry that is named, as one or as the directory."""
    named = "registry_url" in settings.model_fields_set
    return settings.registry_url if named else settings.directory_url or settings.registry_url


def list_processes(settings: Settings) -> list[str]:
    """Give the processes that the settings name, else the ports that they give the roles, on this machine."""
    named = [url.strip().rstrip("/") for url in settings.console_processes.split(",") if url.strip()]
    return named or list_urls(settings)


async def find_addresses(host: str) -> list[str]:
    """Give the addresses behind a name that stands for several processes, as that of a service with replicas does.

    A process may have an address of either family, so that only several of one family are several processes. Raises
    OSError for a name that nobody has.
    """
    families: dict[int, dict[str, None]] = defaultdict(dict)
    for family, *_, address in await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM):
        families[family][str(address[0])] = None
    most = max(families.values(), key=len)
    return [*most] if len(most) > 1 else []


@asynccontextmanager
async def watch_hub(hub: EventHub, announcement: Announcement) -> AsyncIterator[AsyncIterator[Seen]]:
    """Watch what this process itself tells, as long as the context lasts. Raises :class:`WatchError`."""
    try:
        view = hub.view(announcement)
    except TooManyViewersError:
        raise WatchError("too many viewers watch this process") from None

    async def give() -> AsyncIterator[Seen]:
        one_in = 1
        while not view.is_over:
            await view.buffer.wait(HEARD_SECONDS)
            if view.sampler.one_in != one_in:
                one_in = view.sampler.one_in
                yield Sampled(one_in)
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


def _create_registry_client(settings: Settings, file: str | None, tls: ssl.SSLContext) -> httpx.AsyncClient:
    if file is None:
        return _create_client(find_registry_url(settings), tls)
    if settings.directory_token is None:
        raise NobodySignsInError(
            f"nobody could sign in at the console: {file} knows no profiles. Set SLUICE_DIRECTORY_TOKEN, which then is"
            " the token to sign in with; or name a registry with SLUICE_REGISTRY_URL"
        )
    return httpx.AsyncClient(base_url="http://registry", transport=NoRegistry(settings.directory_token, file))


def _create_client(url: str, tls: ssl.SSLContext) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, verify=tls, timeout=ANSWER_SECONDS, trust_env=False)


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
