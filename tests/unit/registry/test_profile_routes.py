"""What a profile creates and lists with its token."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import httpx
import pytest

from registry.first_start import FirstStart

NOBODY = "0" * 24

Create: TypeAlias = Callable[..., Awaitable[Any]]
Refuse: TypeAlias = Callable[..., Awaitable[tuple[int, str]]]


@pytest.fixture
def create(client: httpx.AsyncClient, profile: dict[str, str]) -> Create:
    async def create(path: str, **document: Any) -> Any:
        response = await client.post(path, json=document, headers=profile)
        assert response.status_code == 201, response.text
        assert response.json()["status"] is True
        return response.json()["result"]

    return create


@pytest.fixture
def refuse(client: httpx.AsyncClient, profile: dict[str, str]) -> Refuse:
    async def refuse(path: str, document: Any) -> tuple[int, str]:
        response = await client.post(path, json=document, headers=profile)
        assert response.json()["status"] is False
        return response.status_code, response.json()["message"]

    return refuse


@pytest.fixture
def list_them(client: httpx.AsyncClient, profile: dict[str, str]) -> Create:
    async def list_them(path: str) -> Any:
        response = await client.get(path, headers=profile)
        assert response.status_code == 200, response.text
        return response.json()["result"]

    return list_them


# Networks


@pytest.mark.parametrize("path", ["/integration/network", "/integration/network/"])
async def test_a_network_is_created_and_listed(create: Create, list_them: Create, path: str) -> None:
    serial_number = {"mask": "FF-FF", "case": "upper", "label": "EUI", "help": "On the back", "required": True}
    created = await create(path, name="LoRaWAN", serial_number=serial_number)
    generic, lorawan = await list_them(path)
    assert generic["name"] == "Generic Endpoint"
    assert created == {"network": lorawan["id"]}
    assert (lorawan["name"], lorawan["serial_number"]) == ("LoRaWAN", serial_number)


async def test_a_name_is_all_that_a_network_needs(create: Create, list_them: Create) -> None:
    created = await create("/integration/network", name=" LoRaWAN ")
    listed = {network["id"]: network for network in await list_them("/integration/network")}
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
        ([], "Input should be an object"),
    ],
)
async def test_a_network_that_breaks_a_rule_is_refused_by_field(refuse: Refuse, document: Any, message: str) -> None:
    status, said = await refuse("/integration/network", document)
    assert status == 400
    assert said.startswith(message)


async def test_every_bad_field_is_named_at_once(refuse: Refuse) -> None:
    _, said = await refuse("/device", {"name": "", "network": "x"})
    assert [part.partition(":")[0] for part in said.split("; ")] == ["name", "network", "connector"]


async def test_a_body_that_is_no_json_is_refused(client: httpx.AsyncClient, profile: dict[str, str]) -> None:
    response = await client.post("/device", content=b"name=A", headers=profile)
    assert (response.status_code, response.json()["message"][:12]) == (400, "Invalid JSON")


# Connectors


async def test_a_connector_is_created_and_listed(create: Create, list_them: Create, first: FirstStart) -> None:
    other = await create("/integration/network", name="LoRaWAN")
    networks = [first.network_id, other["network"]]
    created = await create("/integration/connector", name="Thermometer", networks=[*networks, first.network_id])
    generic, thermometer = await list_them("/integration/connector")
    assert (generic["name"], generic["networks"]) == ("Generic Sensor", [first.network_id])
    assert created == {"connector": thermometer["id"]}
    assert thermometer["networks"] == networks


async def test_a_connector_needs_a_network_that_is_there(refuse: Refuse) -> None:
    status, message = await refuse("/integration/connector", {"name": "A", "networks": []})
    assert (status, message[:9]) == (400, "networks:")
    assert await refuse("/integration/connector", {"name": "A", "networks": [NOBODY]}) == (404, "Network Not Found")


# Devices


async def test_a_device_is_created_and_listed(
    create: Create, list_them: Create, client: httpx.AsyncClient, first: FirstStart
) -> None:
    created = await create(
        "/device",
        name="Cellar",
        network=first.network_id,
        connector=first.connector_id,
        serie_number="aa-01",
        type="mutable",
    )
    (device,) = await list_them("/device")
    assert (device["id"], device["name"], device["serie_number"]) == (created["device_id"], "Cellar", "AA-01")
    assert (device["network"], device["connector"]) == (first.network_id, first.connector_id)
    assert "token" not in device
    assert (await client.get("/info", headers={"token": created["token"]})).json()["result"]["name"] == "Cellar"


async def test_a_serial_is_unique_in_its_network_and_free_in_another(
    create: Create, refuse: Refuse, first: FirstStart
) -> None:
    device = {"name": "A", "network": first.network_id, "connector": first.connector_id, "serie_number": "AA"}
    await create("/device", **device)
    taken = await refuse("/device", {**device, "serie_number": "aa"})
    assert taken == (409, "serie_number: 'AA' is taken by another device of this network")
    other = await create("/integration/network", name="LoRaWAN")
    connector = await create("/integration/connector", name="A", networks=[other["network"]])
    await create("/device", **device | {"network": other["network"], "connector": connector["connector"]})


async def test_devices_without_a_serial_do_not_disturb_each_other_where_none_is_required(create: Create) -> None:
    network = await create("/integration/network", name="Any", serial_number={"required": False})
    connector = await create("/integration/connector", name="A", networks=[network["network"]])
    for _ in range(2):
        await create("/device", name="A", network=network["network"], connector=connector["connector"])


@pytest.mark.parametrize(
    ("changes", "status", "message"),
    [
        ({"serie_number": None}, 400, "serie_number: a device of the network 'Generic Endpoint' needs one"),
        ({"serie_number": ""}, 400, "serie_number: a device of the network 'Generic Endpoint' needs one"),
        ({"serie_number": "A" * 101}, 400, "serie_number: it has 101 characters; at most 100 are taken"),
        ({"network": NOBODY}, 404, "Network Not Found"),
        ({"connector": NOBODY}, 404, "Connector Not Found"),
        ({"tags": []}, 400, "tags: Extra inputs are not permitted"),
        ({"type": "immutable"}, 400, "type: Input should be 'mutable'"),
    ],
)
async def test_a_device_that_breaks_a_rule_is_refused(
    refuse: Refuse, first: FirstStart, changes: dict[str, Any], status: int, message: str
) -> None:
    device = {"name": "A", "network": first.network_id, "connector": first.connector_id, "serie_number": "AA"}
    assert await refuse("/device", device | changes) == (status, message)


async def test_a_serial_must_have_the_form_of_its_network(create: Create, refuse: Refuse) -> None:
    network = await create("/integration/network", name="LoRaWAN", serial_number={"mask": "FF-FF"})
    connector = await create("/integration/connector", name="A", networks=[network["network"]])
    device = {"name": "A", "network": network["network"], "connector": connector["connector"]}
    status, message = await refuse("/device", {**device, "serie_number": "AA"})
    assert status == 400
    assert message == "serie_number: serial 'AA' has 2 characters (hyphens not counted), not 4; the form is FF-FF"
    await create("/device", **device, serie_number="aa-01")


async def test_a_connector_must_allow_the_network(create: Create, refuse: Refuse, first: FirstStart) -> None:
    other = await create("/integration/network", name="LoRaWAN")
    device = {"name": "A", "network": other["network"], "connector": first.connector_id, "serie_number": "A"}
    assert await refuse("/device", device) == (
        400,
        "connector: it does not allow this network; take one that does, or add the network to it",
    )


# Authorization keys


async def test_a_key_is_created_and_listed(create: Create, list_them: Create, first: FirstStart) -> None:
    field_map = "serial=devaddr;payload=payload_raw;port=fport"
    created = await create(
        "/serviceauth", name="Factory", permission="full", expire_time="never", verification_code=field_map
    )
    assert created["token"].startswith("at")
    assert len(created["token"]) == 34
    assert (created["name"], created["profile"], created["additional_parameters"]) == (
        "Factory",
        first.profile_id,
        field_map,
    )
    (key,) = await list_them("/serviceauth")
    assert (key["token"], key["verification_code"], key["network"]) == (created["token"], field_map, first.network_id)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"verification_code": "serial=;"}, "verification_code: at character 8: 'serial' has nothing after its '='"),
        ({"verification_code": "serial=" + "a" * 2_000}, "verification_code: it has 2,007 characters"),
        ({"permission": "read"}, "permission: Input should be 'full'"),
        ({"expire_time": "2030-01-01"}, "expire_time: Input should be 'never'"),
    ],
)
async def test_a_key_that_breaks_a_rule_is_refused(refuse: Refuse, changes: dict[str, Any], message: str) -> None:
    status, said = await refuse("/serviceauth", {"name": "A", **changes})
    assert status == 400
    assert said.startswith(message)


async def test_a_key_names_its_network_where_the_profile_has_several(create: Create, refuse: Refuse) -> None:
    network = await create("/integration/network", name="LoRaWAN")
    status, message = await refuse("/serviceauth", {"name": "A"})
    assert (status, message[:26]) == (400, "network: name the one that")
    assert (await create("/serviceauth", name="A", network=network["network"]))["network"] == network["network"]
    assert await refuse("/serviceauth", {"name": "A", "network": NOBODY}) == (404, "Network Not Found")


# Lists


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["A", "B", "C", "Generic Endpoint"]),
        ("?orderBy=name,desc", ["Generic Endpoint", "C", "B", "A"]),
        ("?orderBy=created_at,asc", ["Generic Endpoint", "C", "A", "B"]),
        ("?amount=2", ["A", "B"]),
        ("?amount=2&page=2", ["C", "Generic Endpoint"]),
        ("?amount=2&page=3", []),
    ],
)
async def test_a_list_comes_in_pages_and_in_order(
    create: Create, list_them: Create, query: str, names: list[str]
) -> None:
    for name in ("C", "A", "B"):
        await create("/integration/network", name=name)
    assert [network["name"] for network in await list_them(f"/integration/network{query}")] == names


async def test_connectors_keep_their_networks_on_every_page(
    create: Create, list_them: Create, first: FirstStart
) -> None:
    await create("/integration/connector", name="A", networks=[first.network_id])
    (connector,) = await list_them("/integration/connector?amount=1&page=2")
    assert (connector["name"], connector["networks"]) == ("Generic Sensor", [first.network_id])


@pytest.mark.parametrize("path", ["/integration/network", "/integration/connector"])
async def test_a_list_holds_the_fields_that_were_asked_for(list_them: Create, path: str) -> None:
    (entry,) = await list_them(f"{path}?fields[0]=id&fields[1]=name&page=1&amount=20&orderBy=name,asc")
    assert set(entry) == {"id", "name"}


@pytest.mark.parametrize("path", ["/device", "/serviceauth", "/integration/network", "/integration/connector"])
async def test_a_filter_is_refused_and_not_ignored(
    client: httpx.AsyncClient, profile: dict[str, str], path: str
) -> None:
    response = await client.get(f"{path}?filter[name]=A", headers=profile)
    assert response.status_code == 400
    assert "filter[name] is not supported" in response.json()["message"]
