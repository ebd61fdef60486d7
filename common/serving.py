"""An HTTP server for a role: uvicorn, without its own idea of signals."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import structlog
import uvicorn
from starlette.types import ASGIApp

from common.http_protocol import BoundedHttpProtocol

KEEP_ALIVE_SECONDS = 75
"""Longer than common gateways and proxies stay idle: they close the connection, and never find a closed one."""

BACKLOG = 2_048
"""Connections that the kernel keeps for a server that is busy, or just about to start."""

log = structlog.get_logger()


class _Server(uvicorn.Server):
    """The process has one owner of signals (cli/process.py), and it is not the server."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class PortUnavailableError(Exception):
    """The address cannot be listened on: in use, or not this machine's."""


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


async def serve_http(
    app: ASGIApp, listener: socket.socket, *, role: str, stopping: asyncio.Event, grace: float
) -> None:
    """Serve until ``stopping`` is set, then finish the requests in flight within ``grace`` seconds."""
    server = _Server(
        uvicorn.Config(
            app,
            lifespan="off",
            http=BoundedHttpProtocol,
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=max(1, int(grace)),
        )
    )
    host, port = listener.getsockname()[:2]
    log.info("http.listening", role=role, url=f"http://{host}:{port}", port=port)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    stopped = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving
    finally:
        stopped.cancel()
        serving.cancel()
