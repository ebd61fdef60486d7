"""What a worker does at the registry: resolve, post, and what it is told when that cannot be."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeAlias
from urllib.parse import quote

import httpx
import pytest

from registry import request
from registry.entries import NewConnector, NewDevice, NewKey, NewNetwork, SerialNumber
from registry.first_start import FirstStart
from registry.service import Registry
from tests.unit.registry.devices import CreateDevice, Device

GROUP = "6a1f0c52d3b19e4477aa01c9"
RECORD = {"variable": "temperature", "value": 21.5}

Resolve: TypeAlias = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture
def resolve(client: httpx.AsyncClient, network_token: str) -> Resolve:
    async def resolve(*segments: str, token: str = network_token) -> httpx.Response:
        path = "/".join(quote(segment, safe="") for segment in segments)
        return await client.get(f"/integration/network/resolve/{path}", headers={"Authorization": token})

    return resolve


@pytest.fixture
async def authorization(registry: Registry, first: FirstStart) -> str:
    key = await registry.keys.create(first.profile_id, NewKey(name="Factory"))
    return key.token.get_secret_value()


def assert_refused(response: httpx.Response, status: int, message: str) -> None:
    assert (response.status_code, response.json()) == (status, {"status": False, "message": message})


async def count(client: httpx.AsyncClient, device: Device) -> int:
    counted: int = (await client.get("/data?query=count", headers=device.headers)).json()["result"]
    return counted


# Resolving


async def test_a_serial_resolves_to_the_token_of_its_device(
    resolve: Resolve, create_device: CreateDevice, authorization: str
) -> None:
    device = await create_device("12BAB34B54")
    response = await resolve("12BAB34B54", authorization)
    assert (response.status_code, response.json()) == (200, {"status": True, "result": device.token})


async def test_a_serial_is_normalised_as_its_network_writes_it(
    resolve: Resolve, create_device: CreateDevice, authorization: str
) -> None:
    device = await create_device("aa-bb-01")
    assert (await resolve("Aa-bB-01", authorization)).json()["result"] == device.token


@pytest.mark.parametrize("serial", ["A/B", "A B", "A%2FB", "A?B#C", "ÄÖ", "A+B"])
async def test_any_character_may_stand_in_a_serial(
    resolve: Resolve, create_device: CreateDevice, authorization: str, serial: str
) -> None:
    device = await create_device(serial)
    assert (await resolve(serial, authorization)).json()["result"] == device.token


@pytest.mark.parametrize("header", ["Authorization", "token", "Token", "Device-Token"])
async def test_a_token_is_taken_from_every_header_that_clients_send(
    client: httpx.AsyncClient, create_device: CreateDevice, network_token: str, header: str
) -> None:
    device = await create_device("A")
    response = await client.get("/integration/network/resolve/A", headers={header: network_token})
    assert response.json()["result"] == device.token
    assert (await client.get("/info", headers={header: device.token})).json()["result"]["id"] == device.id


async def test_a_device_of_another_network_is_not_found(
    registry: Registry, first: FirstStart, resolve: Resolve, create_device: CreateDevice, authorization: str
) -> None:
    await create_device("A")
    network = await registry.networks.create(first.profile_id, NewNetwork(name="LoRaWAN"))
    token = (await registry.networks.tokens())[network.id].get_secret_value()
    assert_refused(await resolve("A", authorization, token=token), 404, "Device Not Found")


@pytest.mark.parametrize("segments", [("UNKNOWN",), ("",), ("A", "B", "C")])
async def test_an_unknown_serial_is_404(resolve: Resolve, segments: tuple[str, ...]) -> None:
    assert_refused(await resolve(*segments), 404, "Device Not Found")


async def test_a_device_without_a_serial_is_never_found(
    registry: Registry, first: FirstStart, resolve: Resolve
) -> None:
    network = await registry.networks.create(first.profile_id, NewNetwork(name="Any"))
    connector = await registry.connectors.create(first.profile_id, NewConnector(name="Any", networks=[network.id]))
    await registry.devices.create(first.profile_id, NewDevice(name="A", network=network.id, connector=connector.id))
    token = (await registry.networks.tokens())[network.id].get_secret_value()
    assert_refused(await resolve("", token=token), 404, "Device Not Found")


async def test_a_malformed_serial_is_400_and_says_what_is_wrong(
    registry: Registry, first: FirstStart, resolve: Resolve
) -> None:
    rule = SerialNumber(mask="FF-FF", case="upper")
    network = await registry.networks.create(first.profile_id, NewNetwork(name="LoRaWAN", serial_number=rule))
    token = (await registry.networks.tokens())[network.id].get_secret_value()
    response = await resolve("12G4", token=token)
    assert_refused(
        response,
        400,
        "serie_number: serial '12G4' has 'G' as character 3 (hyphens not counted), which must be a hexadecimal digit; "
        "the form is FF-FF",
    )


@pytest.mark.parametrize("token", ["", "n-unknown", "at-unknown"])
async def test_no_network_token_is_401(resolve: Resolve, create_device: CreateDevice, token: str) -> None:
    await create_device("A")
    assert_refused(await resolve("A", token=token), 401, "Authorization Denied")


async def test_a_token_of_another_kind_is_401(
    client: httpx.AsyncClient, create_device: CreateDevice, network_token: str, profile: dict[str, str]
) -> None:
    device, network = await create_device("A"), {"token": network_token}
    for response in (
        await client.get("/integration/network/resolve/A", headers=device.headers),
        await client.post("/data", json=RECORD, headers=network),
        await client.get("/data", headers=profile),
        await client.get("/device", headers=device.headers),
        await client.get("/serviceauth", headers=network),
        await client.get("/info", headers=profile),
    ):
        assert_refused(response, 401, "Authorization Denied")


@pytest.mark.parametrize("authorization", ["at-unknown", "", "at/unknown"])
async def test_an_authorization_that_is_unknown_or_empty_is_401_and_never_taken_for_none(
    resolve: Resolve, create_device: CreateDevice, authorization: str
) -> None:
    await create_device("A")
    assert_refused(await resolve("A", authorization), 401, "Authorization Denied")


async def test_a_disabled_authorization_is_401(
    registry: Registry, first: FirstStart, resolve: Resolve, create_device: CreateDevice
) -> None:
    await create_device("A")
    key = await registry.keys.create(first.profile_id, NewKey(name="Off", enabled=False))
    assert_refused(await resolve("A", key.token.get_secret_value()), 401, "Authorization Denied")


@pytest.mark.parametrize("path", ["/integration%2Fnetwork/resolve/A", "/integration%2Fnetwork%2Fresolve%2FA"])
async def test_a_path_that_is_the_route_only_when_decoded_does_not_resolve(
    client: httpx.AsyncClient, create_device: CreateDevice, network_token: str, path: str
) -> None:
    await create_device("A")
    assert_refused(await client.get(path, headers={"token": network_token}), 404, "Device Not Found")


# Posting


async def test_a_post_is_answered_with_the_number_of_its_records(
    client: httpx.AsyncClient, create_device: CreateDevice
) -> None:
    device = await create_device()
    response = await client.post("/data", json=[RECORD, RECORD], headers=device.headers)
    assert (response.status_code, response.json()) == (200, {"status": True, "result": "2 Data Added"})
    assert await count(client, device) == 2


async def test_an_uplink_that_is_posted_again_is_stored_once(
    client: httpx.AsyncClient, create_device: CreateDevice
) -> None:
    device = await create_device()
    headers = {**device.headers, "Sluice-Uplinks": f"{GROUP}/0,{GROUP}/1"}
    await client.post("/data", json=[RECORD, RECORD], headers=headers)
    response = await client.post("/data", json=[RECORD, RECORD], headers=headers)
    assert (response.status_code, response.json()) == (200, {"status": True, "result": "0 Data Added"})
    assert await count(client, device) == 2


async def test_an_uplink_that_is_posted_twice_at_once_is_stored_once(
    client: httpx.AsyncClient, create_device: CreateDevice
) -> None:
    device = await create_device()
    headers = {**device.headers, "Sluice-Uplinks": f"{GROUP}/0"}
    responses = await asyncio.gather(*(client.post("/data", json=RECORD, headers=headers) for _ in range(4)))
    assert [response.status_code for response in responses] == [200] * 4
    assert await count(client, device) == 1


async def test_a_post_of_known_and_unknown_uplinks_is_409_and_stores_nothing(
    client: httpx.AsyncClient, create_device: CreateDevice
) -> None:
    device = await create_device()
    await client.post("/data", json=RECORD, headers={**device.headers, "Sluice-Uplinks": f"{GROUP}/0"})
    response = await client.post(
        "/data", json=[RECORD, RECORD], headers={**device.headers, "Sluice-Uplinks": f"{GROUP}/0,{GROUP}/1"}
    )
    assert response.status_code == 409
    assert response.json()["message"].endswith(f"send these apart from the others: {GROUP}/0")
    assert await count(client, device) == 1


async def test_one_bad_record_has_the_whole_body_refused(
    client: httpx.AsyncClient, create_device: CreateDevice
) -> None:
    device = await create_device()
    response = await client.post("/data", json=[RECORD, {**RECORD, "unit": 7}], headers=device.headers)
    assert_refused(response, 400, "Record 1: unit must be a string of at most 25 characters")
    assert await count(client, device) == 0


async def test_a_bad_uplink_id_is_refused(client: httpx.AsyncClient, create_device: CreateDevice) -> None:
    device = await create_device()
    response = await client.post("/data", json=RECORD, headers={**device.headers, "Sluice-Uplinks": "7"})
    assert_refused(response, 400, "Sluice-Uplinks: '7' is no uplink id; write group/index, separated by commas")


async def test_a_body_of_200_kb_is_taken_and_a_larger_one_is_413(
    client: httpx.AsyncClient, create_device: CreateDevice
) -> None:
    device = await create_device()
    body = b'{"variable": "a"}'.ljust(200_000)
    assert (await client.post("/data", content=body, headers=device.headers)).status_code == 200
    response = await client.post("/data", content=body + b" ", headers=device.headers)
    assert_refused(response, 413, "The body must not be larger than 200,000 bytes")


async def test_a_body_that_does_not_arrive_is_408(
    client: httpx.AsyncClient, create_device: CreateDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stall() -> AsyncIterator[bytes]:
        yield b"["
        await asyncio.Event().wait()

    monkeypatch.setattr(request, "BODY_SECONDS", 0.01)
    device = await create_device()
    response = await client.post("/data", content=stall(), headers=device.headers)
    assert_refused(response, 408, "The body did not arrive within 0.01 s")


@pytest.mark.parametrize("headers", [{}, {"Device-Token": ""}, {"Device-Token": "unknown"}])
@pytest.mark.parametrize("route", ["POST /data", "GET /data", "GET /info", "GET /device", "POST /serviceauth"])
async def test_without_a_good_token_nothing_is_answered(
    client: httpx.AsyncClient, route: str, headers: dict[str, str]
) -> None:
    assert_refused(await client.request(*route.split(), headers=headers), 401, "Authorization Denied")


# Who am I


async def test_a_device_learns_who_it_is_and_when_it_last_sent(
    client: httpx.AsyncClient, create_device: CreateDevice, first: FirstStart
) -> None:
    device = await create_device("A")
    info = (await client.get("/info", headers=device.headers)).json()["result"]
    assert (info["id"], info["serie_number"], info["network"]) == (device.id, "A", first.network_id)
    assert info["last_input"] is None
    await client.post("/data", json=RECORD, headers=device.headers)
    assert (await client.get("/info", headers=device.headers)).json()["result"]["last_input"] > "2026"


async def test_a_network_learns_who_it_is(client: httpx.AsyncClient, network_token: str, first: FirstStart) -> None:
    info = (await client.get("/info", headers={"token": network_token})).json()["result"]
    assert (info["id"], info["name"]) == (first.network_id, "Generic Endpoint")


# Anything else


async def test_an_unknown_path_is_404_and_not_repeated(client: httpx.AsyncClient) -> None:
    assert_refused(await client.get("/integration/network/resolved/A/at-secret"), 404, "There is nothing at this path")


async def test_a_wrong_method_is_405_and_says_which_are_right(client: httpx.AsyncClient) -> None:
    response = await client.put("/info")
    assert response.status_code == 405
    assert response.json()["status"] is False
    assert "GET" in response.headers["Allow"]
