"""Devices as their profile has them."""

from typing import Any

import httpx
import pytest
from sqlalchemy import select

from registry.data_remover import DataRemover
from registry.data_writer import DevicePost
from registry.entries import NewDeviceToken
from registry.first_start import FirstStart
from registry.records import check_records
from registry.refusal import RefusedError
from registry.schema import RECORDS
from registry.service import Registry
from tests.unit.registry.api import Api
from tests.unit.registry.devices import CreateDevice

NOBODY = "0" * 24


async def test_a_device_is_created_and_listed(api: Api, client: httpx.AsyncClient, first: FirstStart) -> None:
    created = await api.create(
        "/device",
        name="Cellar",
        network=first.network_id,
        connector=first.connector_id,
        serie_number="aa-01",
        type="mutable",
    )
    (device,) = await api.get("/device")
    assert (device["id"], device["name"], device["serie_number"]) == (created["device_id"], "Cellar", "AA-01")
    assert (device["network"], device["connector"]) == (first.network_id, first.connector_id)
    assert "token" not in device
    assert (await client.get("/info", headers={"token": created["token"]})).json()["result"]["name"] == "Cellar"


async def test_a_serial_is_unique_in_its_network_and_free_in_another(api: Api, first: FirstStart) -> None:
    device = {"name": "A", "network": first.network_id, "connector": first.connector_id, "serie_number": "AA"}
    await api.create("/device", **device)
    taken = await api.refuse("POST", "/device", {**device, "serie_number": "aa"})
    assert taken == (409, "serie_number: 'AA' is taken by another device of this network")
    other = await api.create("/integration/network", name="LoRaWAN")
    connector = await api.create("/integration/connector", name="A", networks=[other["network"]])
    await api.create("/device", **device | {"network": other["network"], "connector": connector["connector"]})


async def test_devices_without_a_serial_do_not_disturb_each_other_where_none_is_required(api: Api) -> None:
    network = await api.create("/integration/network", name="Any", serial_number={"required": False})
    connector = await api.create("/integration/connector", name="A", networks=[network["network"]])
    for _ in range(2):
        await api.create("/device", name="A", network=network["network"], connector=connector["connector"])


@pytest.mark.parametrize(
    ("changes", "status", "message"),
    [
        ({"serie_number": None}, 400, "serie_number: a device of the network 'Generic Endpoint' needs one"),
        ({"serie_number": ""}, 400, "serie_number: a device of the network 'Generic Endpoint' needs one"),
        ({"serie_number": "A" * 101}, 400, "serie_number: it has 101 characters; at most 100 are taken"),
        ({"network": NOBODY}, 404, "Network Not Found"),
        ({"connector": NOBODY}, 404, "Connector Not Found"),
        ({"chunk_period": "day"}, 400, "chunk_period: Extra inputs are not permitted"),
        ({"tags": [{"key": "a"}]}, 400, "tags.0.value: Field required"),
        ({"serie_number": "A\0"}, 400, "serie_number: a NUL character cannot be stored"),
        ({"type": "immutable"}, 400, "type: Input should be 'mutable'"),
    ],
)
async def test_a_device_that_breaks_a_rule_is_refused(
    api: Api, first: FirstStart, changes: dict[str, Any], status: int, message: str
) -> None:
    device = {"name": "A", "network": first.network_id, "connector": first.connector_id, "serie_number": "AA"}
    assert await api.refuse("POST", "/device", device | changes) == (status, message)


async def test_a_serial_must_have_the_form_of_its_network(api: Api) -> None:
    network = await api.create("/integration/network", name="LoRaWAN", serial_number={"mask": "FF-FF"})
    connector = await api.create("/integration/connector", name="A", networks=[network["network"]])
    device = {"name": "A", "network": network["network"], "connector": connector["connector"]}
    status, message = await api.refuse("POST", "/device", {**device, "serie_number": "AA"})
    assert status == 400
    assert message == "serie_number: serial 'AA' has 2 characters (hyphens not counted), not 4; the form is FF-FF"
    await api.create("/device", **device, serie_number="aa-01")


async def test_a_connector_must_allow_the_network(api: Api, first: FirstStart) -> None:
    other = await api.create("/integration/network", name="LoRaWAN")
    device = {"name": "A", "network": other["network"], "connector": first.connector_id, "serie_number": "A"}
    assert await api.refuse("POST", "/device", device) == (
        400,
        "connector: it does not allow this network; take one that does, or add the network to it",
    )


async def test_a_device_is_described_as_it_was_created(api: Api, first: FirstStart) -> None:
    described = {
        "name": "Cellar",
        "network": first.network_id,
        "connector": first.connector_id,
        "serie_number": "AA",
        "description": "Behind the wine",
        "active": False,
        "visible": False,
        "tags": [{"key": "room", "value": "cold"}],
        "payload_decoder": "cGF5bG9hZCA9IFtdOw==",
    }
    device_id = (await api.create("/device", **described))["device_id"]
    device = await api.get(f"/device/{device_id}")
    assert {name: device[name] for name in described} == described
    assert (device["last_input"], device["last_authorization"], device["updated_at"]) == (None, None, None)


async def test_a_change_of_a_device_is_in_force_with_its_next_post(api: Api, create_device: CreateDevice) -> None:
    device = await create_device("AA")
    of_device = Api(api.client, device.headers)
    await of_device.post("/data", {"variable": "a"})
    await api.put(f"/device/{device.id}", active=False)
    assert await of_device.refuse("POST", "/data", {"variable": "a"}) == (403, "The device is not active")
    await api.put(f"/device/{device.id}", active=True, name="Shed", serie_number="bb")
    await of_device.post("/data", {"variable": "a"})
    info = await of_device.get("/info")
    assert (info["name"], info["serie_number"]) == ("Shed", "BB")


async def test_a_device_moves_to_another_network_whose_rule_its_serial_must_follow(
    api: Api, create_device: CreateDevice
) -> None:
    device, neighbour = await create_device("AA-01"), await create_device("AA-02")
    network_id = (
        await api.create("/integration/network", name="LoRaWAN", serial_number={"mask": "FF-FF", "case": "upper"})
    )["network"]
    connector_id = (await api.create("/integration/connector", name="A", networks=[network_id]))["connector"]
    path = f"/device/{device.id}"
    assert await api.refuse("PUT", path, {"network": network_id}) == (
        400,
        "connector: it does not allow this network; take one that does, or add the network to it",
    )
    await api.put(path, network=network_id, connector=connector_id)
    assert (await api.get(path))["serie_number"] == "AA01"
    assert await api.refuse("PUT", f"/device/{neighbour.id}", {"serie_number": ""}) == (
        400,
        "serie_number: a device of the network 'Generic Endpoint' needs one",
    )
    await api.put(f"/device/{neighbour.id}", network=network_id, connector=connector_id)
    taken = await api.refuse("PUT", f"/device/{neighbour.id}", {"serie_number": "aa01"})
    assert taken == (409, "serie_number: 'AA01' is taken by another device of this network")


async def test_a_device_whose_network_asks_for_other_serials_today_is_changed_all_the_same(
    api: Api, first: FirstStart, create_device: CreateDevice
) -> None:
    """What stays as it is need not fit: programs send back the whole document."""
    path = f"/device/{(await create_device('AA-01')).id}"
    await api.put(f"/integration/network/{first.network_id}", serial_number={"mask": "FFFF"})
    place = {"network": first.network_id, "connector": first.connector_id}
    await api.put(path, name="Shed", active=False, serie_number="AA-01", **place)
    device = await api.get(path)
    assert (device["name"], device["active"], device["serie_number"]) == ("Shed", False, "AA-01")
    assert (await api.refuse("PUT", path, {"serie_number": "AA-02"}))[0] == 400


async def test_a_device_is_removed_with_its_tokens_and_its_data(
    api: Api, registry: Registry, create_device: CreateDevice, network_token: str
) -> None:
    device, neighbour = await create_device("AA"), await create_device("BB")
    of_device = Api(api.client, {**device.headers, "Sluice-Uplinks": "6a1f0c52d3b19e4477aa01c9/0"})
    for one in (of_device, Api(api.client, neighbour.headers)):
        await one.post("/data", [{"variable": "a"}, {"variable": "b"}])
    await api.post(f"/device/{device.id}/params", {"key": "a", "value": "b"})
    assert await api.delete(f"/device/{device.id}") == "Successfully Removed"
    assert await of_device.refuse("POST", "/data", {"variable": "a"}) == (401, "Authorization Denied")
    assert await api.refuse("GET", f"/device/{device.id}") == (404, "Device Not Found")
    network = Api(api.client, {"token": network_token})
    assert await network.refuse("GET", "/integration/network/resolve/AA") == (404, "Device Not Found")
    async with registry._database.reading() as connection:
        assert set((await connection.execute(select(RECORDS.c.device_id))).scalars()) == {neighbour.id}


# Tokens


async def test_a_device_is_removed_whole_though_a_post_and_a_token_still_come(
    registry: Registry, first: FirstStart, create_device: CreateDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another registry knows the device's token for a while, and a parser may take its time."""
    device = await create_device()
    remove_all = DataRemover.remove_all
    late: list[str] = []

    async def remove_all_too_early(remover: DataRemover, device_id: str) -> int:
        removed = await remove_all(remover, device_id)
        added = await registry.devices.add_token(first.profile_id, NewDeviceToken(device=device_id, name="Late"))
        late.append(added.token.get_secret_value())
        await registry.devices.authenticate(late[0])
        await registry.intake.store(DevicePost(device_id, check_records({"variable": "late"})))
        return removed

    monkeypatch.setattr(DataRemover, "remove_all", remove_all_too_early)
    await registry.devices.remove(first.profile_id, device.id)
    assert await registry.devices.list_for(first.profile_id) == []
    with pytest.raises(RefusedError, match="Authorization Denied"):
        await registry.devices.authenticate(late[0])


async def test_each_token_of_a_device_may_do_what_it_is_permitted(api: Api, create_device: CreateDevice) -> None:
    device = await create_device("AA")
    tokens = {
        permission: await api.create("/device/token", device=device.id, name=permission, permission=permission)
        for permission in ("full", "write", "read")
    }
    writer, reader = (Api(api.client, {"token": tokens[permission]["token"]}) for permission in ("write", "read"))
    assert await writer.post("/data", {"variable": "a"}) == "1 Data Added"
    assert len(await reader.get("/data")) == 1
    denied = (401, "Authorization Denied")
    assert await writer.refuse("GET", "/data") == denied
    assert await reader.refuse("POST", "/data", {"variable": "a"}) == denied
    assert await reader.refuse("DELETE", "/data") == denied
    assert await writer.refuse("DELETE", "/data") == denied


async def test_resolving_gives_the_newest_token_that_may_write(
    api: Api, create_device: CreateDevice, network_token: str
) -> None:
    device = await create_device("AA")
    network = Api(api.client, {"token": network_token})
    writing = await api.create("/device/token", device=device.id, name="W", permission="write")
    await api.create("/device/token", device=device.id, name="R", permission="read")
    assert await network.get("/integration/network/resolve/AA") == writing["token"]
    await api.delete(f"/device/token/{writing['token']}")
    assert await network.get("/integration/network/resolve/AA") == device.token


async def test_tokens_are_listed_and_one_that_is_removed_ends_at_once(api: Api, create_device: CreateDevice) -> None:
    device = await create_device("AA")
    of_device = Api(api.client, device.headers)
    await of_device.post("/data", {"variable": "a"})
    (token,) = await api.get(f"/device/token/{device.id}")
    assert (token["token"], token["name"], token["permission"]) == (device.token, "Default", "full")
    assert (token["device_id"], token["serie_number"], token["expire_time"]) == (device.id, "AA", "never")
    await api.delete(f"/device/token/{device.token}")
    assert await of_device.refuse("POST", "/data", {"variable": "a"}) == (401, "Authorization Denied")
    assert await api.refuse("DELETE", f"/device/token/{device.token}") == (404, "Token Not Found")


# Params


async def test_params_are_added_changed_and_removed(api: Api, create_device: CreateDevice) -> None:
    path = f"/device/{(await create_device()).id}/params"
    await api.post(path, {"key": "offset", "value": "1"})
    await api.post(path, [{"key": "offset", "value": "2"}, {"key": "unit", "value": "C", "sent": True}])
    offset, unit = await api.get(path)
    assert (offset["key"], offset["value"], offset["sent"]) == ("offset", "2", False)
    await api.post(path, {"id": offset["id"], "key": "bias", "sent": True})
    bias, _ = await api.get(path)
    assert bias == {"id": offset["id"], "key": "bias", "value": "2", "sent": True}
    assert await api.refuse("POST", path, {"id": bias["id"], "key": "unit"}) == (
        400,
        "configuration_params: 'unit' is there twice",
    )
    assert await api.refuse("POST", path, {"key": "a"}) == (400, "configuration_params: a param needs a value")
    await api.delete(f"{path}/{unit['id']}")
    assert await api.get(path) == [bias]
    assert await api.refuse("DELETE", f"{path}/{unit['id']}") == (404, "Parameter Not Found")


async def test_a_device_reads_its_params_and_marks_them(api: Api, create_device: CreateDevice) -> None:
    device = await create_device()
    of_device = Api(api.client, device.headers)
    await api.post(f"/device/{device.id}/params", [{"key": "a", "value": "1"}, {"key": "b", "value": "2"}])
    a, b = await of_device.get("/device/params")
    assert await of_device.put(f"/device/params/{a['id']}", sent=True) == "Successfully Updated"
    assert [param["key"] for param in await of_device.get("/device/params?sent_status=false")] == ["b"]
    assert [param["key"] for param in await api.get(f"/device/{device.id}/params?sent_status=true")] == ["a"]
    neighbour = Api(api.client, (await create_device()).headers)
    assert await neighbour.refuse("PUT", f"/device/params/{b['id']}", {"sent": True}) == (404, "Parameter Not Found")


async def test_a_new_device_has_the_defaults_of_its_network_and_its_connector(api: Api) -> None:
    region = [{"label": "EU", "value": "eu", "is_default": True}, {"label": "US", "value": "us"}]
    network_id = (
        await api.create(
            "/integration/network",
            name="LoRaWAN",
            device_parameters=[
                {"name": "region", "type": "dropdown", "options": region},
                {"name": "offset", "type": "number", "default": "0"},
            ],
        )
    )["network"]
    connector_id = (
        await api.create(
            "/integration/connector",
            name="A",
            networks=[network_id],
            device_parameters=[
                {"name": "offset", "type": "number", "default": "5"},
                {"name": "debug", "type": "switch", "default": True},
                {"name": "note", "type": "text"},
            ],
        )
    )["connector"]
    device = {"name": "A", "network": network_id, "connector": connector_id}
    given = [{"key": "region", "value": "us"}, {"key": "own", "value": "free"}]
    created = await api.create("/device", **device, configuration_params=given)
    params = await api.get(f"/device/{created['device_id']}/params")
    assert {param["key"]: param["value"] for param in params} == {
        "region": "us",
        "own": "free",
        "offset": "5",
        "debug": "true",
    }
    bad = {**device, "configuration_params": [{"key": "region", "value": "asia"}, {"key": "offset", "value": "x"}]}
    assert await api.refuse("POST", "/device", bad) == (
        400,
        "configuration_params.region: must be one of eu, us; configuration_params.offset: must be a number",
    )
    path = f"/device/{created['device_id']}"
    assert (await api.refuse("PUT", path, {"configuration_params": [{"key": "debug", "value": "1"}]}))[0] == 400
    await api.put(path, configuration_params=[{"key": "debug", "value": "false"}])


# Seen


async def test_a_device_tells_when_it_was_last_resolved_and_last_sent(
    api: Api, registry: Registry, create_device: CreateDevice, network_token: str
) -> None:
    device = await create_device("AA")
    network = Api(api.client, {"token": network_token})
    await network.get("/integration/network/resolve/AA")
    await Api(api.client, device.headers).post("/data", {"variable": "a"})
    noted = await api.get(f"/device/{device.id}")
    assert noted["last_input"] > "2026"
    assert noted["last_authorization"] > "2026"
    await registry._sightings.write()
    assert registry._sightings._noted == {"last_input": {}, "last_authorization": {}}
    assert await api.get(f"/device/{device.id}") == noted
