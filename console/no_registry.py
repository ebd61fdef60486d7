"""What answers in a registry's place where there is none: one profile, known by one token, that has nothing."""

import hmac
from typing import Any, Final

import httpx
from pydantic import SecretStr

OPERATOR: Final = {"id": "operator", "name": "Operator", "administrator": True}
"""Whoever has the token: the one profile there is sees the uplinks of everybody."""


class NoRegistry(httpx.AsyncBaseTransport):
    """Answers what a registry would. ``directory_file`` is where the networks and the keys are instead."""

    def __init__(self, token: SecretStr, directory_file: str) -> None:
        self._token = token.get_secret_value().encode()
        self._elsewhere = f"There is no registry here: networks and keys are written in {directory_file}"

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer as the registry's HTTP API does."""
        if not hmac.compare_digest(request.headers.get("Token", "").encode(), self._token):
            return _answer(401, status=False, message="Authorization Denied")
        if request.url.path == "/profile/current":
            return _answer(200, status=True, result=OPERATOR)
        return _answer(404, status=False, message=self._elsewhere)


def _answer(code: int, **envelope: Any) -> httpx.Response:
    return httpx.Response(code, json=envelope)
