"""The registry's HTTP API, asked with the token of whoever is signed in: what it refuses, the console does not do."""

from collections.abc import Awaitable, Mapping
from typing import Any, Final
from urllib.parse import quote

import httpx
from pydantic import SecretStr

from common.registry_requests import Document, RegistryRequests, read_envelope
from console.refusal import RefusedError, SignedOutError, not_found

ANSWER_SECONDS = 15.0

STEPS: Final = frozenset({"", ".", ".."})
"""Parts of a path that would lead out of the files."""


class RegistryAwayError(RefusedError):
    """The registry does not answer, or not as a registry does. It may later."""

    def __init__(self, why: str) -> None:
        super().__init__(503, f"The registry does not answer: {why}")


class RegistryApi:
    """A registry, and the connections to it. To be closed with :meth:`close`."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    def ask_as(self, token: SecretStr) -> "ProfileApi":
        """Give what a profile may do with its token."""
        return ProfileApi(self._client, token)

    async def fetch_image(self, path: str) -> httpx.Response:
        """Give an uploaded image, which everybody may see. Raises :class:`RefusedError`."""
        if not STEPS.isdisjoint(path.split("/")):
            raise not_found("File")
        try:
            response = await self._client.get(f"/file/{quote(path)}")
        except httpx.HTTPError as error:
            raise RegistryAwayError(type(error).__name__) from None
        if response.status_code != httpx.codes.OK or not response.headers.get("Content-Type", "").startswith("image/"):
            raise not_found("File")
        return response

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


class ProfileApi(RegistryRequests[Awaitable[Any]]):
    """What one profile asks of the registry.

    Every method raises :class:`RegistryAwayError`, :class:`console.refusal.SignedOutError` when the registry no longer
    knows the token, and :class:`console.refusal.RefusedError` for another no, with the registry's status and message.
    """

    def __init__(self, client: httpx.AsyncClient, token: SecretStr) -> None:
        self._client = client
        self._token = token

    async def test_parser(self, trial: Document) -> Document:
        """Give what a parser makes of a sample; nothing is stored."""
        outcome: Document = await self.ask("POST", "/parser/test", trial)
        return outcome

    async def ask(
        self, method: str, path: str, document: Any = None, *, parameters: Mapping[str, str] | None = None
    ) -> Any:
        """See the base class."""
        headers = {"Token": self._token.get_secret_value()}
        try:
            response = await self._client.request(method, path, params=parameters, json=document, headers=headers)
        except httpx.HTTPError as error:
            raise RegistryAwayError(type(error).__name__) from None
        envelope = read_envelope(response)
        if envelope is None:
            raise RegistryAwayError(f"what is there answers {response.status_code}, and not as a registry does")
        if envelope["status"]:
            return envelope.get("result")
        if response.status_code == httpx.codes.UNAUTHORIZED:
            raise SignedOutError
        message = str(envelope.get("message"))
        if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise RegistryAwayError(message)
        raise RefusedError(response.status_code, message)
