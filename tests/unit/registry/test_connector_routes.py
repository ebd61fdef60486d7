"""Connectors: described, changed, removed."""

from registry.first_start import FirstStart
from tests.unit.registry.api import Api
from tests.unit.registry.devices import CreateDevice

NOBODY = "0" * 24


async def test_a_connector_is_created_and_listed(api: Api, first: FirstStart) -> None:
    other = await api.create("/integration/network", name="LoRaWAN")
    networks = [first.network_id, other["network"]]
    created = await api.create("/integration/connector", name="Thermometer", networks=[*networks, first.network_id])
    generic, thermometer = await api.get("/integration/connector")
    assert (generic["name"], generic["networks"]) == ("Generic Sensor", [first.network_id])
    assert created == {"connector": thermometer["id"]}
    assert thermometer["networks"] == networks


async def test_a_connector_needs_a_network_that_is_there(api: Api) -> None:
    status, message = await api.refuse("POST", "/integration/connector", {"name": "A", "networks": []})
    assert (status, message[:9]) == (400, "networks:")
    assert await api.refuse("POST", "/integration/connector", {"name": "A", "networks": [NOBODY]}) == (
        404,
        "Network Not Found",
    )


async def test_a_connector_is_described_as_it_was_created_and_changed(api: Api, first: FirstStart) -> None:
    described = {
        "name": "Thermometer",
        "description": "Two wires",
        "logo_url": "https://example.org/logo.png",
        "install_text": "Press the button",
        "install_end_text": "Done",
        "device_annotation": "Blue",
        "device_parameters": [{"name": "offset", "type": "number", "group": "advanced", "default": "0"}],
        "payload_decoder": "cGF5bG9hZCA9IFtdOw==",
        "networks": [first.network_id],
    }
    connector_id = (await api.create("/integration/connector", **described))["connector"]
    path = f"/integration/connector/{connector_id}"
    connector = await api.get(path)
    assert {name: connector[name] for name in described} == described
    await api.put(path, install_text="Pull the lever", description=None)
    connector = await api.get(path)
    assert (connector["install_text"], connector["description"], connector["install_end_text"]) == (
        "Pull the lever",
        None,
        "Done",
    )


async def test_a_network_that_devices_come_by_cannot_be_left_out(
    api: Api, first: FirstStart, create_device: CreateDevice
) -> None:
    await create_device()
    other = (await api.create("/integration/network", name="LoRaWAN"))["network"]
    path = f"/integration/connector/{first.connector_id}"
    assert await api.refuse("PUT", path, {"networks": [other]}) == (
        409,
        "networks: 1 devices of this connector are in a network that is left out",
    )
    await api.put(path, networks=[other, first.network_id])
    assert (await api.get(path))["networks"] == [first.network_id, other]


async def test_a_connector_is_removed_when_no_device_has_it_any_more(
    api: Api, first: FirstStart, create_device: CreateDevice
) -> None:
    device = await create_device()
    path = f"/integration/connector/{first.connector_id}"
    assert await api.refuse("DELETE", path) == (409, "The connector is in use by 1 devices; remove these first")
    await api.delete(f"/device/{device.id}")
    assert await api.delete(path) == "Successfully Removed"
    assert await api.refuse("GET", path) == (404, "Connector Not Found")
