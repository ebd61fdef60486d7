"""An HTTP or HTTPS server for a role: uvicorn, without its own idea of signals."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import structlog
import uvicorn
from starlette.types import ASGIApp

from common.direct_http import DirectApp, DirectHttpProtocol
from common.http_protocol import HEAD_SECONDS, PARTING, BoundedHttpProtocol
from common.tracing import TracedApp

try:
    import resource
except ImportError:  # Windows has no such limits
    resource = None  # type: ignore[assignment]

KEEP_ALIVE_SECONDS = 75
"""Longer than common gateways and proxies stay idle: they close the connection, and never find a closed one."""

GOODBYE_SECONDS = 1.0
"""For the other side to agree to the end of a TLS connection: one that sits idle in a pool does not even look."""

OTHER_FILES = 256
"""What a process has open besides its connections, with room to spare."""

BACKLOG = 2_048
"""Connections that the kernel keeps for a server that is busy, or just about to start."""

log = structlog.get_logger()


class _Server(uvicorn.Server):
    """The process has one owner of signals (cli/process.py), and it is not the server."""

    def __init__(self, config: uvicorn.Config, connections_limit: int, direct: DirectApp | None) -> None:
        super().__init__(config)
        self.connections_limit = connections_limit
        self._direct = direct

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen as uvicorn does, but bound the handshake of TLS and its end: asyncio gives them 60 s and 30 s."""
        loop = asyncio.get_running_loop()
        tls = self.config.ssl
        self.servers = [
            await loop.create_server(
                self._create_protocol,
                sock=listener,
                backlog=BACKLOG,
                ssl=tls,
                ssl_handshake_timeout=None if tls is None else HEAD_SECONDS,
                ssl_shutdown_timeout=None if tls is None else GOODBYE_SECONDS,
            )
            for listener in sockets or ()
        ]
        self.started = True

    def part_with_senders(self) -> None:
        """End the connection with every answer from now on."""
        self.config.encoded_headers.append(PARTING)  # uvicorn takes them from here each second
        self.server_state.default_headers = [*self.server_state.default_headers, PARTING]

    def _create_protocol(self) -> BoundedHttpProtocol:
        protocol = BoundedHttpProtocol if self._direct is None else partial(DirectHttpProtocol, app=self._direct)
        return protocol(
            config=self.config,
            server_state=self.server_state,
            app_state={},
            connections_limit=self.connections_limit,
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class PortUnavailableError(Exception):
    """The address cannot be listened on: in use, or not this machine's."""


def allow_connections(number: int) -> None:
    """Have the system allow this process as many open files as that takes; says in the log where it does not."""
    if resource is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = number + OTHER_FILES
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < wanted:
        log.warning("connections.restricted", open_files=allowed, wanted=wanted)


def bind(host: str, port: int) -> socket.socket:
    """Bind the listening socket before anything else starts, so that a port in use is one clear error at once.

    Port 0 takes any free one. Raises :class:`PortUnavailableError`.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise PortUnavailableError(f"cannot listen on {host}:{port}: {error.strerror}") from error
    return listener


@dataclass(frozen=True, slots=True)
class ServingOptions:
    """How every role of a process is served.

    ``grace``: seconds for the requests in flight at the end. Connections above ``connections_limit`` are answered 503.
    HTTPS with ``tls``, else HTTP. ``traced``: each request gets a span.
    """

    grace: float
    connections_limit: int = 4_000
    tls: ssl.SSLContext | None = None
    traced: bool = False


async def serve_http(
    app: ASGIApp,
    listener: socket.socket,
    options: ServingOptions,
    *,
    role: str,
    draining: asyncio.Event,
    stopping: asyncio.Event,
    direct: DirectApp | None = None,
) -> None:
    """Serve until ``stopping`` is set, then finish the requests in flight.

    ``direct`` takes the requests that came whole, unless they are traced; ``app`` takes all others. From ``draining``
    on every answer ends its connection, so that its sender comes back by another process.
    """
    tls = options.tls
    server = _Server(
        uvicorn.Config(
            TracedApp(app) if options.traced else app,
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=max(1, int(options.grace)),
            ssl_context_factory=None if tls is None else lambda *_: tls,
        ),
        options.connections_limit,
        None if options.traced else direct,
    )
    host, port = listener.getsockname()[:2]
    scheme = "http" if tls is None else "https"
    log.info("http.listening", role=role, url=f"{scheme}://{host}:{port}", port=port)
    watching = [asyncio.create_task(_part(server, draining)), asyncio.create_task(_exit(server, stopping))]
    try:
        await server.serve(sockets=[listener])
    finally:
        for task in watching:
            task.cancel()


async def _part(server: _Server, draining: asyncio.Event) -> None:
    await draining.wait()
    server.part_with_senders()


async def _exit(server: _Server, stopping: asyncio.Event) -> None:
    await stopping.wait()
    server.should_exit = True
