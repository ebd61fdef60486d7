"""The registry as a whole: its first start and its later ones, what it keeps, and what it does not let out."""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import httpx
import pytest
import structlog
from pydantic import SecretStr
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from common.logs import configure_logs
from common.role import Role
from common.serial import SerialRule
from registry.database import DatabaseUnusableError
from registry.database_url import DATABASE_FILE
from registry.entries import NewDevice, NewKey
from registry.first_start import FirstStart
from registry.schema import METADATA
from registry.secret_key import FILE_NAME, SecretKeyError
from registry.service import Registry
from tests.support.waiting import eventually
from tests.unit.registry.api import Api
from tests.unit.registry.devices import CreateDevice
from tests.unit.registry.registries import SECRET, build_registry

Degraded: TypeAlias = Callable[[], Awaitable[list[str]]]


@pytest.fixture
def degraded(client: httpx.AsyncClient) -> Degraded:
    """Ask the registry what it lacks."""

    async def degraded() -> list[str]:
        lacks: list[str] = (await client.get("/readyz")).json()["degraded"]
        return lacks

    return degraded


@pytest.fixture
def configure_deployed_logs() -> Iterator[Callable[[], None]]:
    """Log in the form of a deployment; to be called in the test, whose standard error is not yet there before."""
    handlers, level = logging.root.handlers, logging.root.level
    yield lambda: configure_logs(level="INFO", json=True)
    logging.root.handlers = handlers
    logging.root.setLevel(level)
    structlog.reset_defaults()


async def read_everything(registry: Registry, folder: Path) -> bytes:
    """Give everything that the database holds: its files, whichever of them it is in, or the rows of a server's."""
    files = [file.read_bytes() for file in folder.glob(f"{DATABASE_FILE}*")]  # noqa: ASYNC240 - nobody else waits
    async with registry._database.reading() as connection:
        rows = [repr((await connection.execute(select(table))).all()) for table in METADATA.sorted_tables]
    return b"".join([*files, *(row.encode() for row in rows)])


def test_it_fits_the_process_that_runs_roles(registry: Registry) -> None:
    role: Role = registry
    assert (role.port, role.health.role) == (0, "registry")


async def test_an_empty_registry_begins_with_a_profile_a_network_and_a_connector(
    registry: Registry, first: FirstStart, client: httpx.AsyncClient, profile: dict[str, str]
) -> None:
    assert [profile.id for profile in await registry.profiles.list_all()] == [first.profile_id]
    (network,) = await registry.networks.list_all()
    assert (network.id, network.name) == (first.network_id, "Generic Endpoint")
    assert network.serial_rule == SerialRule(None, "upper")
    (connector,) = await registry.connectors.list_for(first.profile_id)
    assert (connector.name, connector.networks) == ("Generic Sensor", (first.network_id,))
    listed = (await client.get("/integration/network", headers=profile)).json()["result"]
    assert [(network["id"], network["name"]) for network in listed] == [(first.network_id, "Generic Endpoint")]


async def test_everything_is_there_again_after_a_restart(tmp_path: Path) -> None:
    async with build_registry(tmp_path) as registry:
        first = registry.first_start
        assert first is not None
        new = NewDevice(name="A", network=first.network_id, connector=first.connector_id, serie_number="A")
        device, token = await registry.devices.create(first.profile_id, new)
        key = await registry.keys.create(first.profile_id, NewKey(name="Factory"))
        tokens = await registry.networks.tokens()
        await post(registry, token)

    async with build_registry(tmp_path) as registry:
        assert registry.first_start is None
        assert await registry.devices.authenticate(token.get_secret_value()) == device
        assert await registry.keys.list_all() == [key]
        assert await registry.networks.tokens() == tokens
        profile = await registry.profiles.authenticate(first.profile_token.get_secret_value())
        assert profile.id == first.profile_id
        assert await post(registry, token) == "0 Data Added"


async def post(registry: Registry, token: SecretStr) -> str:
    """Post always the same uplink."""
    headers = {"Device-Token": token.get_secret_value(), "Sluice-Uplinks": "6a1f0c52d3b19e4477aa01c9/0"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(registry.app), base_url="http://registry") as client:
        result: str = (await client.post("/data", json={"variable": "a", "value": 1}, headers=headers)).json()["result"]
    return result


async def test_no_token_stands_in_the_database_in_clear(
    registry: Registry, first: FirstStart, create_device: CreateDevice, tmp_path: Path
) -> None:
    device = await create_device("KNOWN-SERIAL")
    key = await registry.keys.create(first.profile_id, NewKey(name="Factory"))
    network_tokens = await registry.networks.tokens()
    written = await read_everything(registry, tmp_path)
    assert b"KNOWN-SERIAL" in written, "the files that are searched are not those that are written"
    for token in (first.profile_token, key.token, SecretStr(device.token), *network_tokens.values()):
        assert token.get_secret_value().encode() not in written
    assert SECRET.get_secret_value().encode() not in written


async def test_under_another_secret_it_does_not_start(tmp_path: Path) -> None:
    async with build_registry(tmp_path, secret_key=SECRET):
        pass
    with pytest.raises(SecretKeyError, match="under another secret key"):
        async with build_registry(tmp_path, secret_key=SecretStr("fedcba9876543210" * 2)):
            pass


async def test_a_shared_database_needs_a_secret_that_every_registry_is_given(tmp_path: Path) -> None:
    with pytest.raises(SecretKeyError, match="set SLUICE_SECRET_KEY to the same at each"):
        build_registry(tmp_path, database=SecretStr("postgresql://127.0.0.1/sluice"))


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://127.0.0.1/sluice", "names mysql; write postgresql://"),
        ("sluice", "is no URL of a database; write postgresql://"),
    ],
)
def test_a_database_of_another_kind_is_refused_and_its_url_not_repeated(tmp_path: Path, url: str, message: str) -> None:
    with pytest.raises(DatabaseUnusableError, match=message) as refused:
        build_registry(tmp_path, database=SecretStr(url.replace("//", "//user:5ecret@")), secret_key=SECRET)
    assert "5ecret" not in str(refused.value)


async def test_a_server_that_does_not_answer_is_a_readable_error(tmp_path: Path) -> None:
    url = SecretStr("postgresql://user:5ecret@127.0.0.1:1/sluice")
    with pytest.raises(DatabaseUnusableError, match=r"the database 'sluice' at 127\.0\.0\.1 cannot be") as refused:
        async with build_registry(tmp_path, database=url, secret_key=SECRET):
            pass
    assert "5ecret" not in str(refused.value)


async def test_without_its_secret_it_does_not_start(tmp_path: Path) -> None:
    async with build_registry(tmp_path):
        pass
    (tmp_path / FILE_NAME).unlink()
    with pytest.raises(SecretKeyError, match="restore it"):
        build_registry(tmp_path)


async def test_on_a_file_that_is_no_database_it_does_not_start(tmp_path: Path) -> None:
    (tmp_path / DATABASE_FILE).write_bytes(b"a" * 4_096)
    with pytest.raises(DatabaseUnusableError):
        async with build_registry(tmp_path, secret_key=SECRET):
            pass


async def test_the_folder_is_made_where_it_is_missing(tmp_path: Path) -> None:
    async with build_registry(tmp_path / "var" / "registry") as registry:
        assert registry.first_start is not None


async def test_it_is_ready_once_it_runs_and_stops_when_it_is_told(
    registry: Registry, client: httpx.AsyncClient
) -> None:
    assert (await client.get("/readyz")).status_code == 503
    stopping = asyncio.Event()
    running = asyncio.create_task(registry.run(stopping))
    await eventually(lambda: registry.health.started)
    assert (await client.get("/readyz")).json()["degraded"] == []
    stopping.set()
    async with asyncio.timeout(5):
        await running


async def test_a_database_that_cannot_be_written_is_degraded(
    registry: Registry,
    client: httpx.AsyncClient,
    create_device: CreateDevice,
    degraded: Degraded,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    device = await create_device()

    @contextlib.asynccontextmanager
    async def fail() -> AsyncIterator[AsyncConnection]:
        raise OSError("no space left on device")
        yield

    with monkeypatch.context() as full:
        full.setattr(registry._database, "_begin", fail)
        response = await client.post("/data", json={"variable": "a"}, headers=device.headers)
        assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
        assert (await client.get("/data", headers=device.headers)).status_code == 200
        assert await degraded() == ["database: cannot be written: OSError"]
    await client.post("/data", json={"variable": "a"}, headers=device.headers)
    assert await degraded() == []


async def test_an_unexpected_failure_is_500_and_neither_answer_nor_log_holds_a_secret(
    registry: Registry,
    client: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
    configure_deployed_logs: Callable[[], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def fail(token: str) -> None:
        raise RuntimeError(f"a bug, met with {len(token)} characters")

    configure_deployed_logs()
    monkeypatch.setattr(registry.networks, "authenticate", fail)
    response = await client.get("/integration/network/resolve/A/at-secret", headers={"token": "n-secret"})
    assert response.status_code == 500
    assert response.json()["status"] is False
    assert "a bug" not in response.text
    written = capsys.readouterr().err
    (event,) = [line for line in map(json.loads, written.splitlines()) if line["event"] == "request.broken"]
    assert event["exception"][0]["exc_value"] == "a bug, met with 8 characters"
    assert "-secret" not in written


async def test_no_answer_and_no_log_line_repeats_a_token_that_was_sent(
    client: httpx.AsyncClient,
    profile: dict[str, str],
    configure_deployed_logs: Callable[[], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_deployed_logs()
    token = "at" + "5ec2e7" * 5
    answers = [
        await client.get(f"/integration/network/resolve/A/{token}", headers={"Authorization": token}),
        await client.post("/data", content=token, headers={"Device-Token": token}),
        await client.post("/serviceauth", json={"name": [token], token[:9]: token}, headers=profile),
        await client.post("/device", json={"name": "A", "network": token, "connector": token}, headers=profile),
        await client.get(f"/nowhere/{token}", headers={"token": token}),
    ]
    assert [answer.status_code for answer in answers] == [401, 401, 400, 400, 404]
    assert all(token not in answer.text for answer in answers)
    assert token not in capsys.readouterr().err


async def test_the_token_of_the_first_profile_may_be_chosen(tmp_path: Path) -> None:
    async with build_registry(tmp_path, profile_token=SecretStr("chosen-profile-token")) as registry:
        assert registry.first_start is not None
        assert (await registry.profiles.authenticate("chosen-profile-token")).id == registry.first_start.profile_id
    async with build_registry(tmp_path, profile_token=SecretStr("another-profile-token")) as registry:
        assert (await registry.profiles.authenticate("chosen-profile-token")).name == "Default"


async def test_while_the_database_is_away_every_route_answers_503_and_readiness_names_it(
    registry: Registry, api: Api, create_device: CreateDevice, degraded: Degraded, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = await create_device()

    @contextlib.asynccontextmanager
    async def fail() -> AsyncIterator[AsyncConnection]:
        raise ConnectionRefusedError("no server at 127.0.0.1")
        yield

    with monkeypatch.context() as away:
        for use in ("_connect", "_begin"):
            away.setattr(registry._database, use, fail)
        for method, path in (("GET", "/device"), ("POST", "/device"), ("GET", f"/device/{device.id}")):
            response = await api.client.request(method, path, headers=api.headers)
            assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
            assert response.json()["message"] == "The registry's database does not answer at the moment"
        assert await degraded() == ["database: cannot be read: ConnectionRefusedError"]
    await api.get("/device")
    assert await degraded() == []


async def test_on_a_registry_that_nobody_uses_its_upkeep_finds_the_database_away_and_back(
    registry: Registry, degraded: Degraded, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextlib.asynccontextmanager
    async def fail() -> AsyncIterator[AsyncConnection]:
        raise ConnectionRefusedError("no server at 127.0.0.1")
        yield

    with monkeypatch.context() as away:
        away.setattr(registry._database, "_begin", fail)
        await registry._upkeep._forget_uplinks()
        assert await degraded() == ["database: cannot be written: ConnectionRefusedError"]
    await registry._upkeep._forget_uplinks()
    assert await degraded() == []
