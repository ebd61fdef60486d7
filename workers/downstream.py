"""The two requests that Sluice makes downstream: resolve a serial, post the data of one device."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
from pydantic import SecretStr

from common import metrics
from common.directory.model import AuthorizationKey, Network
from common.directory.source import DirectorySource
from common.serial import Serial
from workers.answers import DownstreamError, RejectedError, TransientError, read_answer
from workers.grouping import Post
from workers.resolver import DeviceToken
from workers.retrying import BlipRetrying

ANSWER_BYTES = 100_000
"""An answer of the API has some hundred bytes."""

TOKEN = re.compile(r"[!-~]{1,500}")
"""What may be sent as a header: a token with a line break would end it and begin another."""


class Downstream:
    """TagoIO's cloud, or whatever speaks its API, over one HTTP client.

    ``in_flight`` bounds the requests that are open at a time, ``seconds`` each of them from beginning to end. Both
    methods raise :class:`workers.answers.DownstreamError`, after blips were waited out.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        directory: DirectorySource,
        blips: BlipRetrying,
        *,
        in_flight: int,
        seconds: float,
    ) -> None:
        self._client = client
        self._directory = directory
        self._blips = blips
        self._slots = asyncio.Semaphore(in_flight)
        self._seconds = seconds
        self.unavailable: str | None = None
        """Why the last request got no answer that says anything, or None."""

    async def resolve(self, serial: Serial, key: AuthorizationKey, network: Network) -> DeviceToken:
        """Ask for the device token of a serial, with the network's token and the sender's authorization."""
        authorization, network_token = key.token.get_secret_value(), network.token.get_secret_value()
        request = _Request(
            route="resolve",
            method="GET",
            path=f"/integration/network/resolve/{quote(serial, safe='')}/{quote(authorization, safe='')}",
            headers={"Authorization": network_token},
            secrets=(authorization, quote(authorization, safe=""), network_token),
        )
        result = await self._blips.call(lambda: self._send(request))
        if not isinstance(result, str) or not TOKEN.fullmatch(result):
            raise TransientError("the answer to resolve holds no device token")
        return DeviceToken(SecretStr(result))

    async def post(self, post: Post) -> None:
        """Post the records of one device; returns when the downstream has taken them."""
        device_token = post.device_token.get_secret_value()
        request = _Request(
            route="data",
            method="POST",
            path="/data",
            headers={
                "Device-Token": device_token,
                "Content-Type": "application/json",
                "Sluice-Uplinks": ",".join(resolved.mapped.uplink.id for resolved in post.uplinks),
            },
            body=post.body,
            secrets=(device_token,),
        )
        await self._blips.call(lambda: self._send(request))

    async def _send(self, request: "_Request") -> Any:
        """Give the result of the answer, or raise what it means, and remember whether the downstream is there."""
        try:
            async with self._slots:
                status, headers, body = await self._fetch(request)
            result = _read_masked(status, headers, body, request.secrets)
        except TransientError as error:
            self.unavailable = f"{error} on {request.route}"
            raise
        except RejectedError:
            self.unavailable = None
            raise
        self.unavailable = None
        return result

    async def _fetch(self, request: "_Request") -> tuple[int, httpx.Headers, bytes]:
        url = self._directory.current.downstream.url + request.path
        try:
            with metrics.DOWNSTREAM_SECONDS.labels(request.route).time():
                async with (
                    asyncio.timeout(self._seconds),
                    self._client.stream(request.method, url, headers=request.headers, content=request.body) as response,
                ):
                    return response.status_code, response.headers, await _read_bounded(response)
        except TransientError:
            raise
        except Exception as error:  # noqa: BLE001 - see below
            # Whatever a server or a network can do to a client says nothing about the uplink. The error's own text may
            # hold the URL, and the resolve URL holds a key.
            raise TransientError(type(error).__name__) from None


def _read_masked(status: int, headers: httpx.Headers, body: bytes, secrets: tuple[str, ...]) -> Any:
    try:
        return read_answer(status, headers, body)
    except DownstreamError as error:
        error.mask(secrets)
        raise


async def _read_bounded(response: httpx.Response) -> bytes:
    """Read an answer while it is small. No coding was asked for, and what comes in one may unfold to anything."""
    if "content-encoding" in response.headers:
        raise TransientError(f"{response.status_code} in a coding that was not asked for: not from the API")
    body = b""
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > ANSWER_BYTES:
            raise TransientError(f"{response.status_code} with more than {ANSWER_BYTES} bytes: not from the API")
    return body


@dataclass(frozen=True, slots=True)
class _Request:
    """One request, with what must not be repeated from its answer: a server may quote what it was asked."""

    route: str
    method: str
    path: str
    headers: Mapping[str, str]
    secrets: tuple[str, ...]
    body: bytes | None = None
