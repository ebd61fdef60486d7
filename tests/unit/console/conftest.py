"""A console before a real registry in this process, and browsers at it."""

import shutil
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from cli.console_explaining import explain_sample
from common.settings import Settings
from console.service import Console, Neighbours
from registry.database_url import DATABASE_FILE
from registry.first_start import FirstStart
from registry.service import Registry
from tests.support.queues import FakeQueue
from tests.support.registry_database import migrate_database
from tests.unit.console.browser import Browser
from tests.unit.console.surroundings import Surroundings
from tests.unit.registry.api import Api
from tests.unit.registry.registries import open_registry


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database in a file, of which each test has a copy: faster than migrating for each."""
    file = tmp_path_factory.mktemp("console") / DATABASE_FILE
    migrate_database(SecretStr(f"sqlite:{file}"))
    return file


@pytest.fixture
async def registry(tmp_path: Path, migrated_file: Path) -> AsyncIterator[Registry]:
    shutil.copy(migrated_file, tmp_path / DATABASE_FILE)
    async with open_registry(tmp_path, None) as registry:
        yield registry


@pytest.fixture
def first(registry: Registry) -> FirstStart:
    """What the registry began with: the administrator's profile, a network and a connector."""
    assert registry.first_start is not None
    return registry.first_start


@pytest.fixture
async def api(registry: Registry, first: FirstStart) -> AsyncIterator[Api]:
    """The registry, asked by the administrator's profile without the console."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(registry.app), base_url="http://registry") as client:
        yield Api(client, {"token": first.profile_token.get_secret_value()})


@pytest.fixture
def queue() -> FakeQueue:
    return FakeQueue()


@pytest.fixture
def surroundings(registry: Registry) -> Surroundings:
    return Surroundings(httpx.ASGITransport(registry.app))


@pytest.fixture
def settings() -> Settings:
    return Settings(console_port=0)


@pytest.fixture
def neighbours(settings: Settings, surroundings: Surroundings) -> Neighbours:
    return Neighbours(
        registry=httpx.AsyncClient(transport=surroundings, base_url="http://registry"),
        processes=surroundings.processes,
        explain=lambda sample: explain_sample(settings, sample),
        find_directory=surroundings.find_directory,
        watch=surroundings.watch,
    )


@pytest.fixture
def console(settings: Settings, queue: FakeQueue, neighbours: Neighbours) -> Console:
    return Console(settings, queue, neighbours)


@pytest.fixture
async def open_browser_at() -> AsyncIterator[Callable[..., Browser]]:
    """Open browsers at a console, that nobody has signed in at."""
    clients: list[httpx.AsyncClient] = []

    def open_one(console: Console, base_url: str = "http://console") -> Browser:
        transport = httpx.ASGITransport(console.app)
        clients.append(httpx.AsyncClient(transport=transport, base_url=base_url, follow_redirects=True))
        return Browser(clients[-1])

    yield open_one
    for client in clients:
        await client.aclose()


@pytest.fixture
def open_browser(console: Console, open_browser_at: Callable[..., Browser]) -> Callable[..., Browser]:
    """Open browsers that nobody has signed in at."""
    return partial(open_browser_at, console)


@pytest.fixture
async def browser(open_browser: Callable[[], Browser], first: FirstStart) -> Browser:
    """The administrator's, signed in."""
    browser = open_browser()
    assert (await browser.sign_in(first.profile_token)).status_code == 200
    return browser


@pytest.fixture
async def other(open_browser: Callable[[], Browser], api: Api) -> Browser:
    """Another profile's, signed in."""
    browser = open_browser()
    created = await api.create("/profile", name="Other")
    assert (await browser.sign_in(SecretStr(created["token"]))).status_code == 200
    return browser
