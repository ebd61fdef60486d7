"""The way downstream over the network: HTTP/1.1 on connections that are kept.

Of our own (docs/adr/0015-client.md): posting is most of what a worker does, and what general clients do for redirects,
cookies, proxies, codings and streams, none of which is wanted here, took more time than all the rest of it.
"""

import asyncio
import os
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from common.settings import Settings
from common.tls import create_client_context, explain_distrust
from workers.answers import Answer, TransientError
from workers.connection import Connection

KEEP_ALIVE_SECONDS = 30.0
"""How long an idle connection downstream is kept for the next post."""

PORTS = {"http": 80, "https": 443}

STANDING_HEADERS = "User-Agent: sluice\r\nAccept: */*\r\nAccept-Encoding: identity\r\n"


@dataclass(slots=True)
class _Origin:
    """A scheme, host and port; ``head`` begins the headers of each request, ``idle`` is what may be used again."""

    host: str
    port: int
    is_tls: bool
    head: str
    idle: deque[Connection] = field(default_factory=deque)


class NetworkClient:
    """Over the network. Whoever asks bounds how many requests are open, and so how many connections there are."""

    def __init__(self, settings: Settings) -> None:
        self._tls = create_client_context(settings.tls)
        self._seconds = settings.downstream_timeout
        self._origins: dict[str, _Origin] = {}
        self._tidying: asyncio.TimerHandle | None = None
        self._is_closed = False

    async def __aenter__(self) -> Self:
        """Open the client."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close its connections; what an exchange is on is closed behind it."""
        self._is_closed = True
        if self._tidying is not None:
            self._tidying.cancel()
        for origin in self._origins.values():
            while origin.idle:
                origin.idle.pop().close()

    async def exchange(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, *, most_bytes: int
    ) -> Answer:
        """Give the answer to a request, as :class:`workers.http_client.HttpClient` says."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._seconds
        path = url.index("/", url.index("://") + len("://"))
        origin = self._origin(url[:path])
        request = _write(method, url[path:], origin.head, headers, body)
        connection = _take(origin.idle) or await self._connect(origin, until)
        answered = connection.send(request, most_bytes=most_bytes)
        timer = loop.call_at(until, _expire, answered)
        try:
            return await answered
        finally:
            timer.cancel()
            if connection.is_free and not self._is_closed:
                self._keep(origin, connection, loop.time())
            else:
                connection.close()

    def _origin(self, name: str) -> _Origin:
        origin = self._origins.get(name)
        if origin is None:
            parts = urlsplit(name)
            head = f"Host: {parts.netloc}\r\n{STANDING_HEADERS}"
            port = parts.port or PORTS[parts.scheme]
            origin = self._origins[name] = _Origin(parts.hostname or "", port, parts.scheme == "https", head)
        return origin

    async def _connect(self, origin: _Origin, until: float) -> Connection:
        tls = self._tls if origin.is_tls else None
        try:
            async with asyncio.timeout_at(until):
                loop = asyncio.get_running_loop()
                _, connection = await loop.create_connection(Connection, origin.host, origin.port, ssl=tls)
        except TimeoutError:
            raise
        except OSError as error:
            raise TransientError(f"no connection to {origin.host} port {origin.port}: {_explain(error)}") from error
        return connection

    def _keep(self, origin: _Origin, connection: Connection, now: float) -> None:
        connection.free_since = now
        origin.idle.append(connection)
        if self._tidying is None:
            self._tidying = asyncio.get_running_loop().call_later(KEEP_ALIVE_SECONDS, self._tidy)

    def _tidy(self) -> None:
        """Close what was idle for too long, and look again when the next is due."""
        loop = asyncio.get_running_loop()
        due: list[float] = []
        for origin in self._origins.values():
            while origin.idle and origin.idle[0].free_since + KEEP_ALIVE_SECONDS <= loop.time():
                origin.idle.popleft().close()
            if origin.idle:
                due.append(origin.idle[0].free_since + KEEP_ALIVE_SECONDS)
        self._tidying = loop.call_at(min(due), self._tidy) if due else None


def _take(idle: deque[Connection]) -> Connection | None:
    """Give the connection that was used last: the other side has had the least time to close it."""
    while idle:
        connection = idle.pop()
        if connection.is_free:
            return connection
    return None


def _explain(error: OSError) -> str:
    if isinstance(error, ConnectionError) and error.errno:
        return os.strerror(error.errno)  # the event loops have words of their own
    return explain_distrust(error) or error.strerror or str(error)


def _expire(answered: asyncio.Future[Answer]) -> None:
    if not answered.done():
        answered.set_exception(TimeoutError())


def _write(method: str, target: str, standing: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
    """Give the bytes of a request. Raises ValueError for what would end its line, or the head, before it should."""
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    if " " in target or lines.count("\n") != len(headers) or lines.count("\r") != len(headers):
        raise ValueError("a path has a space, or a header a line break")
    head = f"{method} {target} HTTP/1.1\r\n{standing}{lines}"
    if body is None:
        return f"{head}\r\n".encode("latin-1")
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode("latin-1") + body
