"""``GET /directory``: for the service token, and cheap while nothing changes."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from common.directory.served import parse_served_directory
from registry.entries import NewKey
from registry.service import Registry
from tests.unit.registry.registries import build_registry

TOKEN = "directory-token-of-tests"
HEADERS = {"Authorization": TOKEN}


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[Registry]:
    async with build_registry(tmp_path, directory_token=SecretStr(TOKEN)) as registry:
        yield registry


async def create_key(registry: Registry) -> str:
    assert registry.first_start is not None
    return (await registry.keys.create(registry.first_start.profile_id, NewKey(name="Factory"))).id


async def test_the_document_is_served_under_a_tag_and_kept_by_nobody(
    registry: Registry, client: httpx.AsyncClient
) -> None:
    key_id = await create_key(registry)
    response = await client.get("/directory", headers=HEADERS)
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    served = parse_served_directory(response.content, downstream_url="http://registry")
    assert [key.id for key in served.directory.keys] == [key_id]


async def test_who_has_it_already_is_told_so_until_it_changes(registry: Registry, client: httpx.AsyncClient) -> None:
    etag = (await client.get("/directory", headers=HEADERS)).headers["ETag"]
    for known in (etag, f"W/{etag}", f'"other", {etag}'):
        response = await client.get("/directory", headers={**HEADERS, "If-None-Match": known})
        assert (response.status_code, response.content, response.headers["ETag"]) == (304, b"", etag)
    await create_key(registry)
    response = await client.get("/directory", headers={**HEADERS, "If-None-Match": etag})
    assert response.status_code == 200
    assert response.headers["ETag"] != etag


async def test_no_other_token_opens_it(registry: Registry, client: httpx.AsyncClient) -> None:
    assert registry.first_start is not None
    profile_token = registry.first_start.profile_token.get_secret_value()
    for headers in ({}, {"Authorization": TOKEN + "x"}, {"Authorization": ""}, {"Token": profile_token}):
        response = await client.get("/directory", headers=headers)
        assert (response.status_code, response.json()["message"]) == (401, "Authorization Denied")


async def test_without_a_token_of_its_own_it_is_refused_and_says_what_to_set(tmp_path: Path) -> None:
    async with (
        build_registry(tmp_path / "other") as registry,
        httpx.AsyncClient(transport=httpx.ASGITransport(registry.app), base_url="http://registry") as client,
    ):
        response = await client.get("/directory", headers=HEADERS)
    assert response.status_code == 403
    assert "set SLUICE_DIRECTORY_TOKEN" in response.json()["message"]
