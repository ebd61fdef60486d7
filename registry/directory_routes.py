"""``GET /directory``: what ingests and workers elsewhere go by. It holds tokens, so it is for a service token only."""

import hashlib
import hmac
from collections.abc import Sequence

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from common.directory.served import PATH
from registry.directory import DirectoryDocuments
from registry.refusal import RefusedError, denied
from registry.request import read_token

NOT_MODIFIED = 304

_NOT_STORED = "no-store"
"""For whatever stands between: the document is every token."""


class DirectoryRoutes:
    """The route for the service token; without one nobody may read the directory."""

    def __init__(self, documents: DirectoryDocuments, token: SecretStr | None) -> None:
        self._documents = documents
        self._token_digest = None if token is None else _digest(token.get_secret_value())

    @property
    def routes(self) -> Sequence[BaseRoute]:
        """The routes, to be mounted."""
        return [Route(PATH, self._get_directory)]

    async def _get_directory(self, request: Request) -> Response:
        """``GET /directory``: the document, or 304 while it is the one that the caller has."""
        self._authenticate(request)
        document = await self._documents.read()
        headers = {"ETag": document.etag, "Cache-Control": _NOT_STORED}
        if document.etag in _read_etags(request.headers.get("If-None-Match", "")):
            return Response(status_code=NOT_MODIFIED, headers=headers)
        return Response(document.content, headers=headers, media_type="application/json")

    def _authenticate(self, request: Request) -> None:
        if self._token_digest is None:
            raise RefusedError(
                403, "The directory is not served: set SLUICE_DIRECTORY_TOKEN here, and the same where it is read"
            )
        if not hmac.compare_digest(_digest(read_token(request)), self._token_digest):
            raise denied()


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _read_etags(header: str) -> set[str]:
    """Give the tags of an ``If-None-Match``; a proxy on the way may have made them weak."""
    return {tag.strip().removeprefix("W/") for tag in header.split(",")}
