"""Profiles that share networks and connectors, and otherwise know nothing of each other."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import pytest

from registry.first_start import FirstStart
from registry.service import Registry
from tests.unit.registry.api import Api

HIDDEN = (404, "Not Found")
NOT_ONES_OWN = (403, "belongs to another profile")


@pytest.fixture
async def other_id(api: Api, other: Api) -> str:
    (profile,) = [profile for profile in await api.get("/profile") if profile["name"] == "Other"]
    assert await other.get("/profile") == [profile]
    profile_id: str = profile["id"]
    return profile_id


@pytest.fixture
async def shared(api: Api, other_id: str, first: FirstStart) -> FirstStart:
    """The first network and the first connector, which the other profile may use."""
    await api.post(f"/integration/network/{first.network_id}/share", {"profile": other_id})
    await api.post(f"/integration/connector/{first.connector_id}/share", {"profile": other_id})
    return first


async def create(owner: Api, first: FirstStart, serial: str) -> str:
    """Create a device; give its token."""
    device = {"name": "A", "network": first.network_id, "connector": first.connector_id, "serie_number": serial}
    token: str = (await owner.create("/device", **device))["token"]
    return token


async def test_what_is_not_shared_is_not_there_for_others(other: Api, first: FirstStart) -> None:
    assert await other.get("/integration/network") == []
    assert await other.get("/integration/connector") == []
    assert await other.get("/device") == []
    device = {"name": "A", "network": first.network_id, "connector": first.connector_id, "serie_number": "A"}
    assert await other.refuse("POST", "/device", device) == (404, "Network Not Found")
    connector = {"name": "A", "networks": [first.network_id]}
    assert await other.refuse("POST", "/integration/connector", connector) == (404, "Network Not Found")
    key = {"name": "A", "network": first.network_id}
    assert await other.refuse("POST", "/serviceauth", key) == (404, "Network Not Found")


async def test_what_is_shared_may_be_used_and_not_changed(api: Api, other: Api, shared: FirstStart) -> None:
    await api.put(f"/integration/network/{shared.network_id}", payload_decoder="YQ==", description="Ours")
    (network,) = await other.get("/integration/network")
    assert (network["id"], network["description"]) == (shared.network_id, "Ours")
    assert "payload_decoder" not in await other.get(f"/integration/network/{shared.network_id}")
    assert (await api.get(f"/integration/network/{shared.network_id}"))["payload_decoder"] == "YQ=="
    await create(other, shared, "A")
    for path in (f"/integration/network/{shared.network_id}", f"/integration/connector/{shared.connector_id}"):
        for method, document in (("PUT", {"name": "Theirs"}), ("DELETE", None)):
            status, message = await other.refuse(method, path, document)
            assert (status, NOT_ONES_OWN[1] in message) == (403, True)
    assert (await other.refuse("GET", f"/integration/network/token/{shared.network_id}"))[0] == 403
    token = {"network": shared.network_id, "name": "A"}
    assert (await other.refuse("POST", "/integration/network/token", token))[0] == 403


async def test_two_profiles_with_one_serial_are_kept_apart_by_their_keys(
    api: Api, other: Api, shared: FirstStart, network_token: str
) -> None:
    """Without a key anybody's newest device matches."""
    ours, theirs = await create(api, shared, "SAME"), await create(other, shared, "SAME")
    network = Api(api.client, {"token": network_token})
    for owner, token in ((api, ours), (other, theirs)):
        key = await owner.create("/serviceauth", name="Factory", network=shared.network_id)
        assert await network.get(f"/integration/network/resolve/SAME/{key['token']}") == token
    assert await network.get("/integration/network/resolve/SAME") == theirs


async def test_a_share_that_ends_stops_keys_and_serials_and_brings_them_back_when_it_is_renewed(
    api: Api, other: Api, shared: FirstStart, registry: Registry
) -> None:
    (other_id,) = [profile["id"] for profile in await other.get("/profile")]
    token = await create(other, shared, "A")
    key = await other.create("/serviceauth", name="Factory", network=shared.network_id)
    network_token = (await registry.networks.tokens())[shared.network_id]
    network = Api(api.client, {"token": network_token.get_secret_value()})
    share = f"/integration/network/{shared.network_id}/share"

    async def listed() -> list[str]:
        return [entry.id for entry in await registry.keys.list_all()]

    assert await listed() == [key["id"]]
    await api.delete(f"{share}/{other_id}")
    assert await listed() == []
    for path in (f"/integration/network/resolve/A/{key['token']}", "/integration/network/resolve/A"):
        assert await network.refuse("GET", path) == (404, "Device Not Found")
    assert len(await other.get("/device")) == 1
    assert await api.refuse("DELETE", f"{share}/{other_id}") == (404, "Share Not Found")

    await api.post(share, {"profile": other_id})
    assert await listed() == [key["id"]]
    assert await network.get(f"/integration/network/resolve/A/{key['token']}") == token


async def test_a_device_in_a_network_that_is_shared_no_longer_is_renamed_and_deactivated(
    api: Api, other: Api, other_id: str, shared: FirstStart
) -> None:
    await create(other, shared, "A")
    await api.delete(f"/integration/network/{shared.network_id}/share/{other_id}")
    await api.delete(f"/integration/connector/{shared.connector_id}/share/{other_id}")
    (device,) = await other.get("/device")
    kept = {"network": shared.network_id, "connector": shared.connector_id, "serie_number": "A"}
    await other.put(f"/device/{device['id']}", name="Shed", active=False, **kept)
    changed = await other.get(f"/device/{device['id']}")
    assert (changed["name"], changed["active"]) == ("Shed", False)
    assert await other.refuse("PUT", f"/device/{device['id']}", {**kept, "serie_number": "B"}) == (
        404,
        "Network Not Found",
    )


async def test_shares_are_listed_for_the_owner(api: Api, other: Api, other_id: str, shared: FirstStart) -> None:
    for path in (f"/integration/network/{shared.network_id}", f"/integration/connector/{shared.connector_id}"):
        await api.post(f"{path}/share", {"profile": other_id})
        assert await api.get(f"{path}/share") == [{"id": other_id, "name": "Other"}]
        assert (await other.refuse("GET", f"{path}/share"))[0] == 403
        assert await other.refuse("POST", f"{path}/share", {"profile": other_id}) == (
            400,
            "profile: this is the owner's own; name the profile that it is to be shared with",
        )
        assert await api.refuse("POST", f"{path}/share", {"profile": "0" * 24}) == (404, "Profile Not Found")


async def test_a_connector_is_shared_only_where_one_of_its_networks_is(
    api: Api, other_id: str, first: FirstStart
) -> None:
    path = f"/integration/connector/{first.connector_id}/share"
    status, message = await api.refuse("POST", path, {"profile": other_id})
    assert (status, message) == (
        400,
        "profile: it may use none of this connector's networks; share one of them first",
    )
    assert await api.get(path) == []


# Public


async def test_only_an_administrator_makes_a_network_public_and_then_everybody_uses_it(
    api: Api, other: Api, first: FirstStart
) -> None:
    refused = (403, "public: only an administrator's profile may make this public; share it instead")
    assert await other.refuse("POST", "/integration/network", {"name": "A", "public": True}) == refused
    own = (await other.create("/integration/network", name="A"))["network"]
    assert await other.refuse("PUT", f"/integration/network/{own}", {"public": True}) == refused
    connector = f"/integration/connector/{first.connector_id}"
    assert await api.refuse("PUT", connector, {"public": True}) == (
        400,
        "public: none of the connector's networks is public",
    )
    await api.put(f"/integration/network/{first.network_id}", public=True)
    await api.put(connector, public=True)
    await create(other, first, "A")
    assert (await other.refuse("PUT", f"/integration/network/{first.network_id}", {"name": "B"}))[0] == 403


# Every route with somebody else's token


@dataclass(frozen=True, slots=True)
class Owned:
    """Things of the first profile, one of each kind."""

    network: str
    connector: str
    device: str
    device_token: str
    network_token: str
    key: str
    param: str
    profile: str


@pytest.fixture
async def owned(api: Api, first: FirstStart) -> Owned:
    device = await api.create(
        "/device",
        name="A",
        network=first.network_id,
        connector=first.connector_id,
        serie_number="A",
        configuration_params=[{"key": "a", "value": "b"}],
    )
    (param,) = await api.get(f"/device/{device['device_id']}/params")
    (network_token,) = await api.get(f"/integration/network/token/{first.network_id}")
    return Owned(
        network=first.network_id,
        connector=first.connector_id,
        device=device["device_id"],
        device_token=device["token"],
        network_token=network_token["token"],
        key=(await api.create("/serviceauth", name="A"))["token"],
        param=param["id"],
        profile=first.profile_id,
    )


Fill: TypeAlias = Callable[[Owned], str]

PATHS: dict[tuple[str, str], Fill] = {
    ("/integration/network/token/{reference}", "GET"): lambda owned: f"/integration/network/token/{owned.network}",
    ("/integration/network/token/{reference}", "DELETE"): (
        lambda owned: f"/integration/network/token/{owned.network_token}"
    ),
    ("/device/token/{reference}", "GET"): lambda owned: f"/device/token/{owned.device}",
    ("/device/token/{reference}", "DELETE"): lambda owned: f"/device/token/{owned.device_token}",
}
"""Paths whose last part is not the id that its name says."""

BODIES = {
    ("POST", "/device/{device}/params"): {"key": "a", "value": "c"},
    ("POST", "/device/{device}/data"): {"variable": "a"},
    ("PUT", "/profile/{profile}"): {"name": "B"},
}


async def test_no_route_reads_or_changes_anything_with_the_token_of_another_profile(
    api: Api, other: Api, owned: Owned, registry: Registry
) -> None:
    def describe() -> list[str]:
        names = ("network", "connector", "device", "profile")
        kinds = {"network": "integration/network", "connector": "integration/connector"}
        return [f"/{kinds.get(name, name)}/{getattr(owned, name)}" for name in names]

    before = [await api.get(path) for path in describe()]
    tried = [operation for operation in registry.operations if operation.caller == "profile" and "{" in operation.path]
    assert len(tried) >= 30
    for operation in tried:
        key = (operation.path, operation.method)
        if key in PATHS:
            path = PATHS[key](owned)
        else:
            path = operation.path.format(
                network=owned.network,
                connector=owned.connector,
                device=owned.device,
                token=owned.key,
                param=owned.param,
                profile=owned.profile,
            )
        document = BODIES.get((operation.method, operation.path), {"profile": owned.profile} if "share" in path else {})
        body = None if operation.method in {"GET", "DELETE"} else document
        status, _ = await other.refuse(operation.method, path, body)
        assert status in {403, 404}, f"{operation.method} {path}"
    assert [await api.get(path) for path in describe()] == before
    assert await api.get(f"/device/{owned.device}/data") == []


async def test_no_route_of_profiles_takes_a_token_of_another_kind(api: Api, owned: Owned, registry: Registry) -> None:
    for token in (owned.device_token, owned.network_token, owned.key):
        stranger = Api(api.client, {"Authorization": token})
        for operation in registry.operations:
            if operation.caller == "profile":
                path = operation.path.replace("{", "").replace("}", "")
                body: Any = None if operation.method in {"GET", "DELETE"} else {}
                assert await stranger.refuse(operation.method, path, body) == (401, "Authorization Denied")
