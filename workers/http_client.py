"""One request downstream and its answer: over the network, or to an app in the same process.

Whatever the way, no redirect is followed and no environment's proxy asked: an answer from anywhere else is not the
downstream's. No cookie is kept: what is said to one tenant's request has no place in another's. Nothing is repeated.
"""

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Protocol, Self

import httpx

from common.settings import Settings
from workers.answers import Answer, refuse_answer
from workers.network_client import NetworkClient

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
    return NetworkClient(settings)


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
            content = await _read_bounded(response, most_bytes)
        self._client.cookies.clear()
        return Answer(response.status_code, response.headers, content)


async def _read_bounded(response: httpx.Response, most_bytes: int) -> bytes:
    if "content-encoding" in response.headers:
        raise refuse_answer(response.status_code, "in a coding that was not asked for")
    body = b""
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > most_bytes:
            raise refuse_answer(response.status_code, f"with more than {most_bytes} bytes")
    return body
