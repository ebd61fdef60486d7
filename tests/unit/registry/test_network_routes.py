"""Networks: described, changed, removed; their tokens."""

from base64 import b64encode
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from registry.first_start import FirstStart
from registry.schema import NETWORKS
from registry.service import Registry
from tests.unit.registry.api import Api
from tests.unit.registry.devices import CreateDevice

NOBODY = "0" * 24


@pytest.mark.parametrize("path", ["/integration/network", "/integration/network/"])
async def test_a_network_is_created_and_listed(api: Api, path: str) -> None:
    serial_number = {"mask": "FF-FF", "case": "upper", "label": "EUI", "help": "On the back", "required": True}
    created = await api.create(path, name="LoRaWAN", serial_number=serial_number)
    generic, lorawan = await api.get(path)
    assert generic["name"] == "Generic Endpoint"
    assert created == {"network": lorawan["id"]}
    assert (lorawan["name"], lorawan["serial_number"]) == ("LoRaWAN", serial_number)


async def test_a_name_is_all_that_a_network_needs(api: Api) -> None:
    created = await api.create("/integration/network", name=" LoRaWAN ")
    listed = {network["id"]: network for network in await api.get("/integration/network")}
    assert listed[created["network"]]["name"] == "LoRaWAN"
    assert listed[created["network"]]["serial_number"] is None


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({}, "name: Field required"),
        ({"name": ""}, "name: String should have at least 1 character"),
        ({"name": "n" * 101}, "name: String should have at most 100 characters"),
        ({"name": 7}, "name: Input should be a valid string"),
        ({"name": "A", "nmae": "B"}, "nmae: Extra inputs are not permitted"),
        ({"name": "A", "serial_number": {"case": "title"}}, "serial_number.case: Input should be 'upper', 'lower'"),
        ({"name": "A", "serial_number": {"mask": "--"}}, "serial_number.mask: has only hyphens, which are not stored"),
        ({"name": "A", "serial_number": {"mask": ".-."}}, "serial_number.mask: is a step in a path"),
        ([], "Input should be an object"),
    ],
)
async def test_a_network_that_breaks_a_rule_is_refused_by_field(api: Api, document: Any, message: str) -> None:
    status, said = await api.refuse("POST", "/integration/network", document)
    assert status == 400
    assert said.startswith(message)


async def test_every_bad_field_is_named_at_once(api: Api) -> None:
    _, said = await api.refuse("POST", "/device", {"name": "", "network": "x"})
    assert [part.partition(":")[0] for part in said.split("; ")] == ["name", "network", "connector"]


async def test_a_body_that_is_no_json_is_refused(client: httpx.AsyncClient, profile: dict[str, str]) -> None:
    response = await client.post("/device", content=b"name=A", headers=profile)
    assert (response.status_code, response.json()["message"][:12]) == (400, "Invalid JSON")


DESCRIBED: dict[str, Any] = {
    "name": "LoRaWAN",
    "description": "Long range",
    "documentation_url": "https://example.org/lorawan",
    "icon_url": "https://example.org/icon.png",
    "banner_url": "/file/6a1f0c52d3b19e4477aa01c9/banner.png",
    "logo_url": "https://example.org/logo.png",
    "serial_number": {"mask": "FF-FF", "case": "upper", "label": "EUI", "image": "https://example.org/eui.png"},
    "device_parameters": [{"name": "region", "type": "dropdown", "options": [{"label": "EU", "value": "eu868"}]}],
    "payload_decoder": "cGF5bG9hZCA9IFtdOw==",
    "middleware_endpoint": "https://example.org/downlink",
}


async def test_a_network_is_described_as_it_was_created(api: Api) -> None:
    network_id = (await api.create("/integration/network", **DESCRIBED))["network"]
    network = await api.get(f"/integration/network/{network_id}")
    assert {name: network[name] for name in DESCRIBED} == {
        **DESCRIBED,
        "serial_number": {**DESCRIBED["serial_number"], "required": True},
        "device_parameters": [
            {
                "name": "region",
                "type": "dropdown",
                "group": "main",
                "options": [{"label": "EU", "value": "eu868", "is_default": False}],
            }
        ],
    }
    assert await api.get(f"/integration/network/{network_id}?fields[0]=id&fields[1]=name") == {
        "id": network_id,
        "name": "LoRaWAN",
    }


async def test_a_change_leaves_what_it_does_not_name_and_null_empties(api: Api) -> None:
    network_id = (await api.create("/integration/network", **DESCRIBED))["network"]
    before = await api.get(f"/integration/network/{network_id}")
    assert await api.put(f"/integration/network/{network_id}", name="LoRa", logo_url=None) == "Successfully Updated"
    after = await api.get(f"/integration/network/{network_id}")
    assert (after["name"], after["logo_url"]) == ("LoRa", None)
    assert after["updated_at"] is not None
    changed = {"name", "logo_url", "updated_at"}
    assert {name: value for name, value in after.items() if name not in changed} == {
        name: value for name, value in before.items() if name not in changed
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": None}, "name: Input should be a valid string"),
        ({"name": "A\0"}, "name: a NUL character cannot be stored"),
        ({"icon_url": "javascript:alert(1)"}, "icon_url: must begin with http:// or https://, or with /file/"),
        ({"icon_url": "https://" + "a" * 500}, "icon_url: String should have at most 500 characters"),
        (
            {"payload_decoder": "payload = []"},
            "payload_decoder: must be the parser's source, in UTF-8 and then in base64",
        ),
        (
            {"payload_decoder": b64encode(b" " * 65_537).decode()},
            "payload_decoder: the parser has 65,537 bytes; at most 65,536 are taken",
        ),
        ({"device_parameters": [{"name": "a", "type": "list"}]}, "device_parameters.0.type: Input should be 'text'"),
        ({"device_parameters": [{"name": "a", "type": "text"}] * 2}, "device_parameters: 'a' is there twice"),
    ],
)
async def test_a_change_that_breaks_a_rule_is_refused_and_changes_nothing(
    api: Api, first: FirstStart, changes: dict[str, Any], message: str
) -> None:
    before = await api.get(f"/integration/network/{first.network_id}")
    status, said = await api.refuse("PUT", f"/integration/network/{first.network_id}", changes)
    assert status == 400
    assert said.startswith(message)
    assert await api.get(f"/integration/network/{first.network_id}") == before


async def test_a_network_is_removed_when_nothing_uses_it_any_more(api: Api, first: FirstStart) -> None:
    path = f"/integration/network/{first.network_id}"
    key = await api.create("/serviceauth", name="Factory")
    assert await api.refuse("DELETE", path) == (
        409,
        "The network is in use by 1 connectors and 1 authorization keys; remove these first",
    )
    await api.delete(f"/serviceauth/{key['token']}")
    await api.delete(f"/integration/connector/{first.connector_id}")
    assert await api.delete(path) == "Successfully Removed"
    assert await api.refuse("GET", path) == (404, "Network Not Found")


@pytest.mark.parametrize("network_id", [NOBODY, "me", "%00"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_a_network_that_is_not_there_is_404(api: Api, method: str, network_id: str) -> None:
    document: Any = {} if method == "PUT" else None
    assert await api.refuse(method, f"/integration/network/{network_id}", document) == (404, "Network Not Found")


async def test_a_mask_of_earlier_days_that_no_serial_has_is_shown_and_can_be_mended(
    api: Api, registry: Registry, first: FirstStart
) -> None:
    async with registry._database.writing() as connection:
        await connection.execute(update(NETWORKS).values(serial_number={"mask": "--", "case": "upper"}))
    path = f"/integration/network/{first.network_id}"
    assert (await api.get(path))["serial_number"] == {"mask": "--", "case": "upper", "required": True}
    await api.put(path, serial_number={"mask": "FF"})
    assert (await api.get(path))["serial_number"]["mask"] == "FF"


# Tokens


async def test_a_network_has_as_many_tokens_as_it_is_given_and_each_resolves_until_it_is_removed(
    api: Api, first: FirstStart, create_device: CreateDevice
) -> None:
    device = await create_device("A")
    created = await api.create("/integration/network/token", network=first.network_id, name="Second", permission="full")
    assert (created["name"], created["network"]) == ("Second", first.network_id)
    assert "message" not in created
    listed = await api.get(f"/integration/network/token/{first.network_id}?orderBy=created_at,desc")
    assert [token["name"] for token in listed] == ["Second", "Default"]
    for token in listed:
        network = Api(api.client, {"Authorization": token["token"]})
        assert await network.get("/integration/network/resolve/A") == device.token
        await api.delete(f"/integration/network/token/{token['token']}")
        assert await network.refuse("GET", "/integration/network/resolve/A") == (401, "Authorization Denied")
    assert await api.get(f"/integration/network/token/{first.network_id}") == []


async def test_a_token_says_that_it_is_of_no_use_while_its_network_has_no_serial_number(api: Api) -> None:
    network_id = (await api.create("/integration/network", name="Any"))["network"]
    created = await api.create("/integration/network/token", network=network_id, name="First")
    assert created["message"].startswith("The network has no serial number")
    await api.put(f"/integration/network/{network_id}", serial_number={"mask": "FF"})
    assert "message" not in await api.create("/integration/network/token", network=network_id, name="Second")
