"""The registry's API as a client sees it."""

from dataclasses import dataclass
from typing import Any

import httpx


@dataclass(frozen=True, slots=True)
class Api:
    """Requests with one token. Each method but ``refuse`` expects to succeed, and gives the result."""

    client: httpx.AsyncClient
    headers: dict[str, str]

    async def create(self, path: str, **document: Any) -> Any:
        return await self._succeed("POST", path, 201, document)

    async def post(self, path: str, document: Any = None) -> Any:
        return await self._succeed("POST", path, 200, document)

    async def get(self, path: str) -> Any:
        return await self._succeed("GET", path, 200)

    async def put(self, path: str, **document: Any) -> Any:
        return await self._succeed("PUT", path, 200, document)

    async def delete(self, path: str, document: Any = None) -> Any:
        return await self._succeed("DELETE", path, 200, document)

    async def refuse(self, method: str, path: str, document: Any = None) -> tuple[int, str]:
        """Give status and message of a request that is refused."""
        response = await self.client.request(method, path, json=document, headers=self.headers)
        assert response.json()["status"] is False, response.text
        return response.status_code, response.json()["message"]

    async def _succeed(self, method: str, path: str, status: int, document: Any = None) -> Any:
        response = await self.client.request(method, path, json=document, headers=self.headers)
        assert response.status_code == status, response.text
        assert response.json()["status"] is True
        return response.json()["result"]
