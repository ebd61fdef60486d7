"""The directory of `sluice run` keeps serving while the registry's database is away."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from cli.registry_directory import RegistryDirectory
from registry.directory import DirectoryDocument
from registry.entries import NewNetwork
from registry.service import Registry
from tests.unit.registry.registries import open_registry


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[Registry]:
    async with open_registry(tmp_path, None) as registry:
        yield registry


@pytest.mark.parametrize(
    "error", [ConnectionRefusedError("no server at 127.0.0.1"), OperationalError("SELECT", None, Exception("away"))]
)
async def test_the_last_good_copy_serves_while_the_database_is_away(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    directory = await RegistryDirectory.open(registry, "http://registry")
    before = directory.current

    async def fail() -> DirectoryDocument:
        raise error

    assert registry.first_start is not None
    await registry.networks.create(registry.first_start.profile_id, NewNetwork(name="LoRaWAN"))
    with monkeypatch.context() as away:
        away.setattr(registry.directory, "read", fail)
        await directory.refresh()
    assert directory.current is before
    assert directory.degraded == f"the registry's database cannot be read: {type(error).__name__}"
    await directory.refresh()
    assert directory.degraded is None
    assert len(directory.current.networks) == len(before.networks) + 1
