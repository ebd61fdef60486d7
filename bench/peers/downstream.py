"""What the two Python workers share: from an uplink to a post downstream, with httpx."""

import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx

CONNECTIONS = 64


class Downstream:
    def __init__(self) -> None:
        self._client = httpx.AsyncClient(
            base_url=os.environ["DOWNSTREAM"],
            limits=httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS),
            timeout=httpx.Timeout(15, pool=None),
        )
        self._tokens: dict[str, str] = {}

    async def post(self, item: dict[str, Any], group: str, arrived_at: str) -> None:
        token = self._tokens.get(item["serial"]) or await self._resolve(item["serial"])
        time = item.get("time", arrived_at)
        records = [
            {"variable": variable, "value": value, "group": group, "time": time} for variable, value in flatten(item)
        ]
        response = await self._client.post("/data", json=records, headers={"Device-Token": token})
        response.raise_for_status()

    async def _resolve(self, serial: str) -> str:
        path = f"/integration/network/resolve/{quote(serial, safe='')}/{os.environ['AUTHORIZATION']}"
        response = await self._client.get(path, headers={"Authorization": os.environ["NETWORK_TOKEN"]})
        response.raise_for_status()
        token: str = response.json()["result"]
        self._tokens[serial] = token
        return token


def flatten(fields: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in fields.items():
        variable = prefix + name.lower()
        if isinstance(value, dict):
            yield from flatten(value, f"{variable}_")
        elif isinstance(value, list):
            yield from flatten({str(index): member for index, member in enumerate(value)}, f"{variable}_")
        elif value is not None:
            yield variable, value
