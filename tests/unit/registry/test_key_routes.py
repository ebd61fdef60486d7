"""Authorization keys: created, changed, removed."""

from typing import Any

import pytest

from registry.first_start import FirstStart
from registry.key_routes import NO_NETWORK
from registry.service import Registry
from tests.unit.registry.api import Api
from tests.unit.registry.devices import CreateDevice

NOBODY = "0" * 24


async def test_a_key_is_created_and_listed(api: Api, first: FirstStart) -> None:
    field_map = "serial=devaddr;payload=payload_raw;port=fport"
    created = await api.create(
        "/serviceauth", name="Factory", permission="full", expire_time="never", verification_code=field_map
    )
    assert created["token"].startswith("at")
    assert len(created["token"]) == 34
    assert (created["name"], created["profile"], created["additional_parameters"]) == (
        "Factory",
        first.profile_id,
        field_map,
    )
    (key,) = await api.get("/serviceauth")
    assert (key["token"], key["verification_code"], key["network"]) == (created["token"], field_map, first.network_id)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"verification_code": "serial=;"}, "verification_code: at character 8: 'serial' has nothing after its '='"),
        ({"verification_code": "serial=" + "a" * 2_000}, "verification_code: it has 2,007 characters"),
        ({"verification_code": "serial=a;payload=a"}, "verification_code: serial and payload are both at a"),
        ({"permission": "read"}, "permission: Input should be 'full'"),
        ({"expire_time": "tomorrow"}, "expire_time: must be 'never', or an ISO 8601 time"),
    ],
)
async def test_a_key_that_breaks_a_rule_is_refused(api: Api, changes: dict[str, Any], message: str) -> None:
    status, said = await api.refuse("POST", "/serviceauth", {"name": "A", **changes})
    assert status == 400
    assert said.startswith(message)


async def test_a_key_is_for_the_only_network_or_for_the_one_that_it_names(
    api: Api, registry: Registry, first: FirstStart
) -> None:
    assert (await api.create("/serviceauth", name="Only"))["network"] == first.network_id
    network = await api.create("/integration/network", name="LoRaWAN")
    assert (await api.create("/serviceauth", name="Named", network=network["network"]))["network"] == network["network"]
    assert await api.refuse("POST", "/serviceauth", {"name": "A", "network": NOBODY}) == (404, "Network Not Found")
    neither = await api.create("/serviceauth", name="Neither")
    assert (neither["network"], neither["message"]) == (None, NO_NETWORK)
    assert [key.name for key in await registry.keys.list_all()] == ["Only", "Named"]
    await api.put(f"/serviceauth/{neither['token']}", network=network["network"])
    assert [key.name for key in await registry.keys.list_all()] == ["Only", "Named", "Neither"]


async def test_a_key_without_a_network_still_says_whose_devices_are_meant(
    api: Api, create_device: CreateDevice, network_token: str
) -> None:
    device = await create_device("A")
    await api.create("/integration/network", name="LoRaWAN")
    key = await api.create("/serviceauth", name="Neither")
    network = Api(api.client, {"token": network_token})
    assert await network.get(f"/integration/network/resolve/A/{key['token']}") == device.token


@pytest.mark.parametrize("named_by", ["token", "id"])
async def test_a_key_is_shown_changed_and_removed_by_its_token_or_its_id(api: Api, named_by: str) -> None:
    created = await api.create("/serviceauth", name="Factory")
    path = f"/serviceauth/{created[named_by]}"
    assert await api.put(path, verification_code="serial=devaddr", enabled=False, name="Mill") == "Successfully Updated"
    key = await api.get(path)
    assert (key["name"], key["verification_code"], key["enabled"]) == ("Mill", "serial=devaddr", False)
    assert key["token"] == created["token"]
    assert await api.delete(path) == "Successfully Removed"
    assert await api.refuse("GET", path) == (404, "Authorization Not Found")


async def test_a_change_is_checked_as_a_new_key_is(api: Api) -> None:
    token = (await api.create("/serviceauth", name="Factory", verification_code="serial=devaddr"))["token"]
    status, message = await api.refuse("PUT", f"/serviceauth/{token}", {"verification_code": "serial=a;serial=b"})
    assert (status, message[:36]) == (400, "verification_code: at character 10: ")
    assert (await api.get(f"/serviceauth/{token}"))["verification_code"] == "serial=devaddr"


async def test_a_key_that_has_expired_no_longer_resolves(
    api: Api, create_device: CreateDevice, network_token: str
) -> None:
    device = await create_device("A")
    network = Api(api.client, {"token": network_token})
    key = await api.create("/serviceauth", name="Factory", expire_time="2999-01-01T00:00:00Z")
    assert key["expire_time"] == "2999-01-01T00:00:00.000000Z"
    assert await network.get(f"/integration/network/resolve/A/{key['token']}") == device.token
    await api.put(f"/serviceauth/{key['token']}", expire_time="2020-01-01")
    assert await network.refuse("GET", f"/integration/network/resolve/A/{key['token']}") == (
        401,
        "Authorization Denied",
    )
    await api.put(f"/serviceauth/{key['token']}", expire_time="never")
    assert await network.get(f"/integration/network/resolve/A/{key['token']}") == device.token
