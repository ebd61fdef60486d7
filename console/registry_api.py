"""The registry's HTTP API, asked with the token of whoever is signed in: what it refuses, the console does not do."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias
from urllib.parse import quote

import httpx
import orjson
from pydantic import SecretStr

from console.refusal import RefusedError, SignedOutError, not_found

ANSWER_SECONDS = 15.0

STEPS: Final = frozenset({"", ".", ".."})
"""Parts of a path that would lead out of the files."""

Document: TypeAlias = dict[str, Any]


class RegistryAwayError(RefusedError):
    """The registry does not answer, or not as a registry does. It may later."""

    def __init__(self, why: str) -> None:
        super().__init__(503, f"The registry does not answer: {why}")


class RegistryRefusalError(RefusedError):
    """The registry is there and says no; status and message are its own."""


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


class ProfileApi:
    """What one profile asks of the registry.

    Every method raises :class:`RegistryRefusalError`, :class:`RegistryAwayError`, and
    :class:`console.refusal.SignedOutError` when the registry no longer knows the token.
    """

    def __init__(self, client: httpx.AsyncClient, token: SecretStr) -> None:
        self._client = client
        self._token = token

    async def get(self, path: str, parameters: Mapping[str, str] | None = None) -> Any:
        """Give the result of a GET."""
        return await self._ask("GET", path, parameters=parameters)

    async def create(self, path: str, document: Mapping[str, Any]) -> Any:
        """Give the result of a POST; what is None is not sent."""
        return await self._ask("POST", path, {name: value for name, value in document.items() if value is not None})

    async def change(self, path: str, document: Mapping[str, Any]) -> None:
        """PUT a document; what is None is sent, and empties its field."""
        await self._ask("PUT", path, document)

    async def remove(self, path: str) -> None:
        """Delete what is at a path."""
        await self._ask("DELETE", path)

    async def upload(self, path: str, content: bytes) -> None:
        """Store an image under a path of the profile's, in place of the one that is there."""
        await self._ask("POST", "/files", [{"filename": path, "file": b64encode(content).decode()}])

    async def test_parser(self, trial: Document) -> Document:
        """Give what a parser makes of a sample; nothing is stored."""
        outcome: Document = await self._ask("POST", "/parser/test", trial)
        return outcome

    async def _ask(
        self,
        method: str,
        path: str,
        document: Mapping[str, Any] | Sequence[Document] | None = None,
        *,
        parameters: Mapping[str, str] | None = None,
    ) -> Any:
        headers = {"Token": self._token.get_secret_value()}
        if document is not None:
            headers["Content-Type"] = "application/json"
        content = None if document is None else orjson.dumps(document)
        try:
            response = await self._client.request(method, path, params=parameters, content=content, headers=headers)
        except httpx.HTTPError as error:
            raise RegistryAwayError(type(error).__name__) from None
        return _read(response)


def _read(response: httpx.Response) -> Any:
    try:
        envelope = orjson.loads(response.content)
    except ValueError:
        envelope = None
    if not isinstance(envelope, dict) or not isinstance(envelope.get("status"), bool):
        raise RegistryAwayError(f"what is there answers {response.status_code}, and not as a registry does")
    if envelope["status"]:
        return envelope.get("result")
    message = str(envelope.get("message"))
    if response.status_code == httpx.codes.UNAUTHORIZED:
        raise SignedOutError
    if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise RegistryAwayError(message)
    raise RegistryRefusalError(response.status_code, message)
