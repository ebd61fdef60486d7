"""The two requests that Sluice makes downstream: resolve a serial, post the data of one device."""

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import aiohttp
import httpx
from pydantic import SecretStr

from common import metrics
from common.directory.model import AuthorizationKey, Network
from common.directory.source import DirectorySource
from common.serial import Serial
from workers.answers import RejectedError, TransientError, read_answer
from workers.grouping import Post
from workers.resolver import DeviceToken
from workers.retrying import BlipRetrying

CONNECTION_ERRORS = (httpx.HTTPError, httpx.InvalidURL, aiohttp.ClientError, TimeoutError)
"""httpx's transport over aiohttp lets some of aiohttp's own errors through."""


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
        authorization = key.token.get_secret_value()
        path = f"/integration/network/resolve/{quote(serial, safe='')}/{quote(authorization, safe='')}"
        headers = {"Authorization": network.token.get_secret_value()}
        result = await self._blips.call(lambda: self._request("resolve", "GET", path, headers))
        if not isinstance(result, str) or not result:
            raise TransientError("the answer to resolve holds no device token")
        return DeviceToken(SecretStr(result))

    async def post(self, post: Post) -> None:
        """Post the records of one device; returns when the downstream has taken them."""
        headers = {
            "Device-Token": post.device_token.get_secret_value(),
            "Content-Type": "application/json",
            "Sluice-Uplinks": ",".join(resolved.mapped.uplink.id for resolved in post.uplinks),
        }
        await self._blips.call(lambda: self._request("data", "POST", "/data", headers, post.body))

    async def _request(
        self, route: str, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Any:
        url = self._directory.current.downstream.url + path
        async with self._slots:
            try:
                with metrics.DOWNSTREAM_SECONDS.labels(route).time():
                    async with asyncio.timeout(self._seconds):
                        response = await self._client.request(method, url, headers=headers, content=body)
                result = read_answer(response.status_code, response.headers, response.content)
            except CONNECTION_ERRORS as error:
                # Its own text may hold the URL, and the resolve URL holds a key.
                self.unavailable = f"{type(error).__name__} on {route}"
                raise TransientError(self.unavailable) from None
            except TransientError as error:
                self.unavailable = f"{error} on {route}"
                raise
            except RejectedError:
                self.unavailable = None
                raise
        self.unavailable = None
        return result
