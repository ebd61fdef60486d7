"""TagoIO's own description of its network integration, step by step, with the same requests."""

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from registry.service import Registry

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.fixture
async def profile(registry: Registry, registry_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody with a profile's token."""
    assert registry.first_start is not None
    headers = {"token": registry.first_start.profile_token.get_secret_value()}
    async with httpx.AsyncClient(base_url=registry_url, headers=headers) as client:
        yield client


async def curl(*arguments: str) -> tuple[int, Any]:
    """Give status and document that ``curl`` gets."""
    if shutil.which("curl") is None:
        pytest.skip("this machine has no curl")
    command = ("curl", "--silent", "--write-out", "\n%{http_code}", *arguments)
    running = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await running.communicate()
    body, _, status = output.decode().rpartition("\n")
    return int(status), json.loads(body)


async def test_from_only_a_name_to_a_raw_payload(profile: httpx.AsyncClient, registry_url: str) -> None:
    async def send(method: str, path: str, **document: Any) -> Any:
        response = await profile.request(method, path, json=document)
        assert response.is_success, response.text
        return response.json()["result"]

    # A network needs only a name; its token is of no use until a serial number is configured.
    network = (await send("POST", "/integration/network", name="My Network"))["network"]
    useless = await send("POST", "/integration/network/token", network=network, name="Token")
    assert "serial number" in useless["message"]

    # A sixteen-character hexadecimal serial number.
    rule = {"label": "Device EUI", "mask": "FF-FF-FF-FF-FF-FF-FF-FF", "case": "upper", "required": True}
    await send("PUT", f"/integration/network/{network}", serial_number=rule)
    connector = (await send("POST", "/integration/connector", name="My Sensor", networks=[network]))["connector"]
    new = {"name": "My Device", "network": network, "connector": connector}
    refused = await profile.post("/device", json={**new, "serie_number": "00-11"})
    assert refused.status_code == 400
    assert refused.json()["message"].endswith("not 16; the form is FF-FF-FF-FF-FF-FF-FF-FF")
    device = await send("POST", "/device", **new, serie_number="0a-1b-2c-3d-4e-5f-60-71")
    key = await send("POST", "/serviceauth", name="My Authorization")

    # The serial resolves to the device's token, with the authorization and without.
    for path in (f"0A1B2C3D4E5F6071/{key['token']}", "0A1B2C3D4E5F6071"):
        status, document = await curl(
            f"{registry_url}/integration/network/resolve/{path}", "--header", f"Authorization: {useless['token']}"
        )
        assert (status, document) == (200, {"status": True, "result": device["token"]})
        assert UUID.fullmatch(document["result"])

    # Raw data is sent as the variable payload, in hexadecimal.
    status, document = await curl(
        f"{registry_url}/data",
        *("--header", f"Device-Token: {device['token']}", "--header", "Content-Type: application/json"),
        *("--data", '{"variable": "payload", "value": "01000A0"}'),
    )
    assert (status, document) == (200, {"status": True, "result": "1 Data Added"})
    status, document = await curl(
        f"{registry_url}/data?variables=payload", "--header", f"Device-Token: {device['token']}"
    )
    assert [record["value"] for record in document["result"]] == ["01000A0"]
