"""One request downstream and its answer: over the network, or to an app in the same process.

Whatever the way, no redirect is followed and no environment's proxy asked: an answer from anywhere else is not the
downstream's. No cookie is kept: what is said to one tenant's request has no place in another's. Nothing is repeated.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import NoReturn, Protocol, Self

import aiohttp
import httpx
from yarl import URL

from common.settings import Settings
from common.tls import create_client_context
from workers.answers import Answer, TransientError
from workers.bulk import REQUESTS_IN_FLIGHT

KEEP_ALIVE_SECONDS = 30
"""How long an idle connection downstream is kept for the next post."""

PROBES = 1
"""Connections that are not for posts: whether the downstream is there must be seen when all of them hang."""

FOR_EVER = httpx.Timeout(None)
"""An app in the same process knows nothing of the library's time-outs."""

NO_CODING = {"Accept-Encoding": "identity"}


class HttpClient(Protocol):
    """A way downstream, to be used inside ``async with``. An answer may take ``downstream_timeout`` seconds."""

    async def __aenter__(self) -> Self:
        """Open the client."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close its connections."""

    async def exchange(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, *, most_bytes: int
    ) -> Answer:
        """Give the answer to a request, whose URL is encoded already.

        Raises :class:`workers.answers.TransientError` for an answer of more bytes or in a coding, TimeoutError for one
        that is not whole in time, and the library's own errors for whatever else a network or a server can do.
        """


def create_client(settings: Settings, transport: httpx.AsyncBaseTransport | None = None) -> HttpClient:
    """Give the client for everything downstream; ``transport`` is another way there than over the network.

    Raises :class:`common.tls.TlsError`.
    """
    if transport is not None:
        return TransportClient(transport, settings.downstream_timeout)
    try:
        from workers.reqwest_client import ReqwestClient  # noqa: PLC0415 - what it imports is an extra
    except ModuleNotFoundError:
        return AiohttpClient(settings)
    return ReqwestClient(settings)


def count_connections(settings: Settings) -> int:
    """Say how many connections there are at most: one for each request that is open at a time."""
    return settings.posts_in_flight + REQUESTS_IN_FLIGHT + PROBES


class AiohttpClient:
    """Over the network, with aiohttp: a request costs a third of what it does with httpx on the same connections."""

    def __init__(self, settings: Settings) -> None:
        self._tls = create_client_context(settings.tls)
        self._limit = count_connections(settings)
        self._seconds = settings.downstream_timeout
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        """Open the client."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._limit, keepalive_timeout=KEEP_ALIVE_SECONDS, ssl=self._tls),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=self._seconds),
            headers=NO_CODING,
            auto_decompress=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close its connections."""
        await self._session.close()

    async def exchange(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, *, most_bytes: int
    ) -> Answer:
        """Give the answer to a request, as :class:`HttpClient` says."""
        async with self._session.request(
            method, URL(url, encoded=True), headers=headers, data=body, allow_redirects=False
        ) as response:
            content = await read_bounded(
                response.status, response.headers, response.content.iter_any(), most_bytes=most_bytes
            )
            return Answer(response.status, response.headers, content)


class TransportClient:
    """By one of httpx's transports: to an app in the same process."""

    def __init__(self, transport: httpx.AsyncBaseTransport, seconds: float) -> None:
        self._seconds = seconds
        self._client = httpx.AsyncClient(transport=transport, headers=NO_CODING, timeout=FOR_EVER, trust_env=False)

    async def __aenter__(self) -> Self:
        """Open the client."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the transport."""
        await self._client.aclose()

    async def exchange(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, *, most_bytes: int
    ) -> Answer:
        """Give the answer to a request, as :class:`HttpClient` says."""
        async with (
            asyncio.timeout(self._seconds),
            self._client.stream(method, url, headers=headers, content=body) as response,
        ):
            content = await read_bounded(
                response.status_code, response.headers, response.aiter_bytes(), most_bytes=most_bytes
            )
        self._client.cookies.clear()
        return Answer(response.status_code, response.headers, content)


async def read_bounded(
    status: int, headers: Mapping[str, str], chunks: AsyncIterator[bytes], *, most_bytes: int
) -> bytes:
    """Read an answer while it is small. No coding was asked for, and what comes in one may unfold to anything."""
    if "content-encoding" in headers:
        _refuse(f"{status} in a coding that was not asked for")
    body = b""
    async for chunk in chunks:
        body += chunk
        if len(body) > most_bytes:
            _refuse(f"{status} with more than {most_bytes} bytes")
    return body


def _refuse(what: str) -> NoReturn:
    raise TransientError(f"{what}: not from the API")
