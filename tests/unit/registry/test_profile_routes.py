"""Profiles: created and removed by an administrator, and each its own."""

import pytest

from registry.first_start import FirstStart
from tests.unit.registry.api import Api


async def test_an_administrator_creates_profiles_whose_token_is_told_once(api: Api, first: FirstStart) -> None:
    created = await api.create("/profile", name="Mill")
    assert created["token"].startswith("p-")
    assert created["administrator"] is False
    default, mill = await api.get("/profile")
    assert (default["id"], default["administrator"]) == (first.profile_id, True)
    assert (mill["id"], mill["name"]) == (created["id"], "Mill")
    assert "token" not in mill
    mill_api = Api(api.client, {"token": created["token"]})
    assert await mill_api.get(f"/profile/{created['id']}") == mill
    assert await mill_api.get("/integration/network") == []


async def test_whoever_is_no_administrator_creates_and_removes_none(api: Api, other: Api, first: FirstStart) -> None:
    assert (await other.refuse("POST", "/profile", {"name": "Mine"}))[0] == 403
    (own,) = await other.get("/profile")
    for profile_id in (own["id"], first.profile_id):
        assert (await other.refuse("DELETE", f"/profile/{profile_id}"))[0] == 403
    await other.put(f"/profile/{own['id']}", name="Renamed")
    assert (await api.get(f"/profile/{own['id']}"))["name"] == "Renamed"


async def test_a_token_tells_whose_it_is(api: Api, other: Api, first: FirstStart) -> None:
    (own,) = await other.get("/profile")
    assert await other.get("/profile/current") == own
    assert (await api.get("/profile/current"))["id"] == first.profile_id
    assert (await Api(api.client, {"token": "p-unknown"}).refuse("GET", "/profile/current"))[0] == 401


@pytest.mark.parametrize("renewed_by", ["itself", "administrator"])
async def test_a_renewed_token_ends_the_old_one(api: Api, other: Api, renewed_by: str) -> None:
    (own,) = await other.get("/profile")
    renewing = other if renewed_by == "itself" else api
    renewed = await renewing.create(f"/profile/{own['id']}/token")
    assert await other.refuse("GET", "/profile") == (401, "Authorization Denied")
    assert await Api(api.client, {"token": renewed["token"]}).get("/profile") == [own]


async def test_a_profile_is_removed_when_it_has_nothing_any_more(api: Api, other: Api, first: FirstStart) -> None:
    (own,) = await other.get("/profile")
    network_id = (await other.create("/integration/network", name="A"))["network"]
    assert await api.refuse("DELETE", f"/profile/{own['id']}") == (
        409,
        "The profile has 1 networks; remove these first",
    )
    await other.delete(f"/integration/network/{network_id}")
    await api.post(f"/integration/network/{first.network_id}/share", {"profile": own["id"]})
    assert await api.delete(f"/profile/{own['id']}") == "Successfully Removed"
    assert await other.refuse("GET", "/profile") == (401, "Authorization Denied")
    assert await api.get(f"/integration/network/{first.network_id}/share") == []
    assert await api.refuse("DELETE", f"/profile/{first.profile_id}") == (
        409,
        "An administrator's profile cannot be removed",
    )
