"""The official clients of TagoIO, unchanged, against a registry on a real port."""

import asyncio
import json
from datetime import datetime
from typing import Any

import pytest
from tagoio_sdk import Device, Resources

from registry.service import Registry
from tests.support.javascript import SOURCES, install_packages

JOURNEY_SECONDS = 60.0


@pytest.fixture
def profile_token(registry: Registry) -> str:
    assert registry.first_start is not None
    return registry.first_start.profile_token.get_secret_value()


# JavaScript


@pytest.fixture
async def journey(registry_url: str, profile_token: str) -> dict[str, Any]:
    """What came of each step of ``journey.mjs``."""
    folder = await asyncio.to_thread(install_packages)
    running = await asyncio.create_subprocess_exec(
        "node",
        str(SOURCES / "journey.mjs"),
        registry_url,
        profile_token,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(JOURNEY_SECONDS):
        output, errors = await running.communicate()
    assert running.returncode == 0, errors.decode()
    came: dict[str, Any] = json.loads(output)
    return came


async def test_the_javascript_client_goes_all_the_way(journey: dict[str, Any]) -> None:
    assert journey["network"]["name"] == "LoRaWAN"
    assert journey["network"]["description"] == "Long range"
    assert journey["networks"] == ["Generic Endpoint", "LoRaWAN"]
    assert journey["networkTokens"] == ["First", "Default"]
    assert journey["connector"] == [journey["network"]["id"]]
    assert [device["name"] for device in journey["devices"]] == ["Cellar"]
    assert [key["verification_code"] for key in journey["keys"]] == ["serial=devaddr;port=fport"]
    assert journey["resolved"] == journey["deviceToken"]
    assert journey["sent"] == "2 Data Added"
    assert journey["read"] == [
        {
            "variable": "temperature",
            "value": 21.5,
            "unit": "C",
            "location": {"type": "Point", "coordinates": [-78.67, 35.77]},
            "isDate": True,
        }
    ]
    assert (journey["last"], journey["counted"]) == (["01000A0"], [2])
    assert journey["parameters"] == [["offset", "1"]]
    assert journey["deleted"] == "1 Data Removed"
    assert journey["info"] == {"name": "Cellar", "network": True, "lastInput": True}
    assert journey["removed"] == ["Successfully Removed"] * 5


async def test_errors_come_out_of_the_javascript_client_as_readable_messages(journey: dict[str, Any]) -> None:
    assert journey["messages"] == [
        "Device Not Found",
        "Authorization Denied",
        "Record 0: unit must be a string of at most 25 characters",
        "The network is in use by 1 devices and 1 connectors; remove these first",
        "serie_number: serial 'X' has 1 characters (hyphens not counted), not 4; the form is FF-FF",
    ]


# Python


async def test_the_python_client_goes_all_the_way(registry_url: str, profile_token: str) -> None:
    await asyncio.to_thread(_travel, {"api": registry_url, "sse": f"{registry_url}/events"}, profile_token)


def _travel(region: Any, profile_token: str) -> None:
    resources = Resources({"token": profile_token, "region": region})
    networks, connectors = resources.integration.networks, resources.integration.connectors
    network = networks.create({"name": "LoRaWAN", "serial_number": {"mask": "FF-FF", "case": "upper"}})["network"]
    assert networks.edit(network, {"description": "Long range"}) == "Successfully Updated"
    assert networks.info(network, ["id", "description"]) == {"id": network, "description": "Long range"}
    networks.tokenCreate(network, {"name": "First", "permission": "full", "expire_time": "never"})
    assert [token["name"] for token in networks.tokenList(network)] == ["First", "Default"]
    connector = connectors.create({"name": "Thermometer", "networks": [network]})["connector"]
    created = resources.devices.create(
        {"name": "Cellar", "network": network, "connector": connector, "serie_number": "aa-01", "type": "mutable"}
    )
    key = resources.serviceAuthorization.tokenCreate(
        {"name": "Factory", "permission": "full", "verification_code": "serial=devaddr;payload=payload_raw"}
    )
    assert key["additional_parameters"] == "serial=devaddr;payload=payload_raw"

    device = Device({"token": created["token"], "region": region})
    assert device.sendData({"variable": "temperature", "value": 21.5, "time": "2026-11-21T01:00:00Z"}) == "1 Data Added"
    assert device.sendData([{"variable": "payload", "value": "01000A0"}]) == "1 Data Added"
    (record,) = device.getData({"variables": "temperature", "qty": 1})
    assert (record["value"], type(record["time"])) == (21.5, datetime)
    assert device.info()["serie_number"] == "AA01"
    with pytest.raises(Exception, match="Record 0: variable is missing"):
        device.sendData({"value": 1})
    assert device.deleteData({"variables": "payload"}) == "1 Data Removed"

    with pytest.raises(Exception, match="The network is in use by 1 devices"):
        networks.delete(network)
    with pytest.raises(Exception, match="Authorization Denied"):
        Device({"token": "unknown", "region": region}).info()
    assert resources.devices.delete(created["device_id"]) == "Successfully Removed"
    assert connectors.delete(connector) == "Successfully Removed"
    assert resources.serviceAuthorization.tokenDelete(key["token"]) == "Successfully Removed"
