"""The way downstream with pyreqwest, which only the extra ``fast`` brings: a request costs a quarter of aiohttp's."""

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import DetailedPyreqwestError, RequestTimeoutError
from pyreqwest.response import Response

from common.settings import Settings
from common.tls import create_client_context, describe_distrust
from workers.answers import Answer, TransientError
from workers.http_client import KEEP_ALIVE_SECONDS, NO_CODING, count_connections, read_bounded

END_OF_CERTIFICATE = "-----END CERTIFICATE-----"


class ReqwestClient:
    """Over the network, with pyreqwest."""

    def __init__(self, settings: Settings) -> None:
        create_client_context(settings.tls)  # says what is wrong with a file, which the library does not
        self._client: Client = _configure(settings).build()

    async def __aenter__(self) -> Self:
        """Open the client."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close its connections."""
        await self._client.close()

    async def exchange(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, *, most_bytes: int
    ) -> Answer:
        """Give the answer to a request, as :class:`workers.http_client.HttpClient` says."""
        building = self._client.request(method, url).headers(headers)
        if body is not None:
            building = building.body_bytes(body)
        try:
            async with building.build_streamed() as response:
                status, answered = response.status, response.headers
                content = await read_bounded(status, answered, _read_chunks(response), most_bytes=most_bytes)
                return Answer(status, answered, content)
        except RequestTimeoutError:
            raise TimeoutError from None
        except DetailedPyreqwestError as error:
            if (distrust := _find_distrust(error)) is not None:
                raise TransientError(distrust) from None
            raise


def _configure(settings: Settings) -> ClientBuilder:
    builder = (
        ClientBuilder()
        .http1_only()
        .follow_redirects(enable=False)
        .no_proxy()
        .gzip(enable=False)
        .brotli(enable=False)
        .zstd(enable=False)
        .deflate(enable=False)
        .default_headers(NO_CODING)
        .user_agent("sluice")
        .max_connections(count_connections(settings))
        .timeout(timedelta(seconds=settings.downstream_timeout))
        .pool_idle_timeout(timedelta(seconds=KEEP_ALIVE_SECONDS))
    )
    tls = settings.tls
    if tls.authorities is not None:
        for certificate in _split(tls.authorities):
            builder = builder.add_root_certificate_pem(certificate)
    if tls.certificate is not None and tls.key is not None:
        builder = builder.identity_pem(tls.certificate.read_bytes() + b"\n" + tls.key.read_bytes())
    return builder


def _split(bundle: Path) -> list[bytes]:
    """Give the certificates of a file one by one; the library takes the first of several."""
    parts = bundle.read_text(encoding="ascii", errors="replace").split(END_OF_CERTIFICATE)[:-1]
    return [f"{part}{END_OF_CERTIFICATE}\n".encode() for part in parts]


async def _read_chunks(response: Response) -> AsyncIterator[bytes]:
    """Read an answer; each reading is a way to another thread and back, so none is made that would give nothing."""
    left = int(response.headers.get("content-length", "-1"))
    while left and (chunk := await response.body_reader.read_chunk()) is not None:
        left -= len(chunk)
        yield bytes(chunk)


def _find_distrust(error: DetailedPyreqwestError) -> str | None:
    """Say which certificate was not trusted, where that is what the error comes from; the first cause names the URL."""
    causes = (cause["message"] for cause in error.details.get("causes") or ())
    problem = next((message for message in causes if "certificate" in message), None)
    return None if problem is None else describe_distrust(problem)
