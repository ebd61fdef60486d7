"""Posts go through parsers as soon as there is one, and ask nobody while there is none."""

from collections.abc import Sequence
from typing import Any

import pytest

from registry.decoding import Payload, pass_through
from registry.entries import DeviceEntry
from registry.first_start import FirstStart
from registry.records import ValidRecord
from registry.service import Registry
from tests.unit.registry.api import Api
from tests.unit.registry.devices import CreateDevice

PARSER = "cGF5bG9hZCA9IFtdOw=="


@pytest.fixture
def decoded(registry: Registry) -> list[str]:
    """The devices whose posts went through a parser."""
    decoded: list[str] = []

    async def decode(device: DeviceEntry, payload: Payload, uplink_ids: Sequence[str] = ()) -> list[ValidRecord]:
        del uplink_ids
        decoded.append(device.id)
        return await pass_through(device, payload)

    registry.intake._decode = decode
    return decoded


@pytest.mark.parametrize("whose", ["network", "connector", "device"])
async def test_a_parser_is_heeded_with_the_next_post_and_so_is_its_end(
    api: Api, first: FirstStart, create_device: CreateDevice, decoded: list[str], whose: str
) -> None:
    device = await create_device()
    of_device = Api(api.client, device.headers)
    path = {
        "network": f"/integration/network/{first.network_id}",
        "connector": f"/integration/connector/{first.connector_id}",
        "device": f"/device/{device.id}",
    }[whose]
    changes: list[dict[str, Any]] = [{}, {"payload_decoder": PARSER}, {"name": "B"}, {"payload_decoder": None}]
    for change in changes:
        await api.put(path, **change)
        await of_device.post("/data", {"variable": "a"})
    assert decoded == [device.id] * 2


async def test_while_there_is_none_nobody_is_asked_for_each_post(
    api: Api, registry: Registry, create_device: CreateDevice, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("registry.remembered.monotonic", lambda: 0.0)  # however long it takes
    devices = [await create_device() for _ in range(3)]
    for device in devices:
        await Api(api.client, device.headers).post("/data", {"variable": "a"})
    asked: list[object] = []
    monkeypatch.setattr(registry._database, "reading", lambda: asked.append(1))
    for device in devices:
        await Api(api.client, device.headers).post("/data", {"variable": "a"})
    assert (asked, decoded) == ([], [])
