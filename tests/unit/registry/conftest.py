"""An open registry on a database of its own, and what a client of it needs; each test runs on both databases."""

import itertools
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from registry.database_url import DATABASE_FILE
from registry.entries import NewDevice
from registry.first_start import FirstStart
from registry.service import Registry
from tests.support.postgresql import find_server, temporary_database
from tests.support.registry_database import empty_database, migrate_database
from tests.unit.registry.api import Api
from tests.unit.registry.devices import CreateDevice, Device
from tests.unit.registry.registries import open_registry


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[SecretStr]:
    """A database on a server, for one test after the other."""
    with temporary_database(find_server()) as url:
        migrate_database(url)
        yield url


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database in a file, of which each test has a copy: faster than migrating for each."""
    file = tmp_path_factory.mktemp("registry") / DATABASE_FILE
    migrate_database(SecretStr(f"sqlite:{file}"))
    return file


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> SecretStr | None:
    """Where the registry's database is; None: a file in the test's own folder."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("migrated_file"), tmp_path / DATABASE_FILE)
        return None
    url: SecretStr = request.getfixturevalue("postgresql_url")
    empty_database(url)
    return url


@pytest.fixture
async def registry(tmp_path: Path, database_url: SecretStr | None) -> AsyncIterator[Registry]:
    async with open_registry(tmp_path, database_url) as registry:
        yield registry


@pytest.fixture
def first(registry: Registry) -> FirstStart:
    """What the registry began with."""
    assert registry.first_start is not None
    return registry.first_start


@pytest.fixture
async def client(registry: Registry) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(registry.app), base_url="http://registry") as client:
        yield client


@pytest.fixture
def profile(first: FirstStart) -> dict[str, str]:
    """The header of a profile's requests, as the official clients send it."""
    return {"token": first.profile_token.get_secret_value()}


@pytest.fixture
async def network_token(registry: Registry, first: FirstStart) -> str:
    return (await registry.networks.tokens())[first.network_id].get_secret_value()


@pytest.fixture
def create_device(registry: Registry, first: FirstStart) -> CreateDevice:
    """Create a device of the first profile; without a serial, one of its own."""
    serials = (f"SERIAL-{number}" for number in itertools.count())

    async def create(serial: str | None = None) -> Device:
        new = NewDevice(
            name="Sensor", network=first.network_id, connector=first.connector_id, serie_number=serial or next(serials)
        )
        device, token = await registry.devices.create(first.profile_id, new)
        return Device(device.id, token.get_secret_value())

    return create


@pytest.fixture
def api(client: httpx.AsyncClient, profile: dict[str, str]) -> Api:
    """What the first profile does, which is the administrator's."""
    return Api(client, profile)


@pytest.fixture
async def other(api: Api) -> Api:
    """What another profile does."""
    return Api(api.client, {"token": (await api.create("/profile", name="Other"))["token"]})
