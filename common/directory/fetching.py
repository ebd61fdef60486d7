"""One request for a registry's directory, and what its answer means."""

import asyncio
import ssl
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import httpx
from pydantic import SecretStr

from common.directory.problems import DirectoryError
from common.directory.served import PATH

STEP_SECONDS = 2.0
"""How long connecting, and each piece of the answer, may take: an answer that was lost costs one poll, not two."""

REQUEST_SECONDS = 30.0
"""How long the whole may take: 100,000 keys are some 25 MB."""

ANSWER_BYTES = 100_000_000
"""More than that is no directory, and must not fill the memory."""

READ_OUT = httpx.ByteStream(b"")


@dataclass(frozen=True, slots=True)
class Fetched:
    """A document, and the tag under which the registry says whether it is still the same."""

    content: bytes
    etag: str | None


class DirectoryClient:
    """Asks one registry. To be used inside ``async with``; ``transport`` is another way there than over the network.

    No redirects and no environment's proxies: the token and the document are for the registry alone.
    """

    def __init__(
        self,
        url: str,
        token: SecretStr,
        *,
        tls: ssl.SSLContext | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._url = url
        self._client = httpx.AsyncClient(
            transport=transport,
            verify=True if tls is None else tls,
            headers={"Authorization": token.get_secret_value(), "Accept-Encoding": "identity"},
            timeout=STEP_SECONDS,
            follow_redirects=False,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        """Open the client."""
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close its connections."""
        await self._client.__aexit__(kind, error, traceback)

    async def fetch(self, etag: str | None) -> Fetched | None:
        """Give the document, or None while it is the one with this tag.

        Raises :class:`DirectoryError`, which says what to do and holds nothing of what was answered.
        """
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                status, fetched = await self._ask(etag)
        except DirectoryError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a network or a server can do to a client
            raise DirectoryError(f"{self._url} does not answer: {type(error).__name__}") from None
        if status == httpx.codes.OK or (status == httpx.codes.NOT_MODIFIED and etag is not None):
            return fetched
        raise DirectoryError(self._explain(status))

    async def _ask(self, etag: str | None) -> tuple[int, Fetched | None]:
        headers = {} if etag is None else {"If-None-Match": etag}
        async with self._client.stream("GET", self._url + PATH, headers=headers) as answer:
            fetched = None
            if answer.status_code == httpx.codes.OK:
                fetched = Fetched(await self._read(answer), answer.headers.get("ETag"))
            elif answer.status_code == httpx.codes.NOT_MODIFIED:
                await answer.aread()  # it has no body, but httpx closes a connection whose answer is not read out
        answer.stream = READ_OUT  # the one that it had holds the answer: a cycle of garbage for each poll
        return answer.status_code, fetched

    async def _read(self, answer: httpx.Response) -> bytes:
        if "content-encoding" in answer.headers:
            raise DirectoryError(f"{self._url} answers in a coding that was not asked for: is a proxy on the way?")
        chunks: list[bytes] = []
        size = 0
        async for chunk in answer.aiter_bytes():
            chunks.append(chunk)
            size += len(chunk)
            if size > ANSWER_BYTES:
                raise DirectoryError(f"{self._url} answers more than {ANSWER_BYTES:,} bytes, which is no directory")
        return b"".join(chunks)

    def _explain(self, status: int) -> str:
        match status:
            case 401:
                return f"{self._url} refuses SLUICE_DIRECTORY_TOKEN: set the same value here and at the registry"
            case 403:
                return f"{self._url} has no SLUICE_DIRECTORY_TOKEN: set it there, to the same value as here"
            case _ if status >= httpx.codes.INTERNAL_SERVER_ERROR:
                return f"{self._url} answers {status}: its log says more"
            case _:
                return f"{self._url} answers {status}: is there a registry at this URL?"
