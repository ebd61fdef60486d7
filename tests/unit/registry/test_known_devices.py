"""Tokens are remembered until a device changes, at whichever registry on the database that is."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import event

from registry.entries import DeviceChanges
from registry.first_start import FirstStart
from registry.known_devices import REVISION_SECONDS
from registry.refusal import RefusedError
from registry.service import Registry
from tests.unit.registry.devices import CreateDevice
from tests.unit.registry.registries import open_registry


class Clock:
    """The time by which answers grow old; it stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("registry.remembered.monotonic", clock)
    return clock


@pytest.fixture
async def other(registry: Registry, tmp_path: Path, database_url: SecretStr | None) -> AsyncIterator[Registry]:  # noqa: ARG001 - it is there first
    """Another registry on the same database."""
    async with open_registry(tmp_path, database_url) as other:
        yield other


async def test_a_token_that_another_registry_removes_ends_when_the_revision_is_asked_for_again(
    registry: Registry, other: Registry, first: FirstStart, create_device: CreateDevice, clock: Clock
) -> None:
    device = await create_device()
    assert (await other.devices.authenticate(device.token)).id == device.id
    await registry.devices.remove_token(first.profile_id, device.token)
    with pytest.raises(RefusedError, match="Denied"):
        await registry.devices.authenticate(device.token)
    assert (await other.devices.authenticate(device.token)).id == device.id, "it asked too early: this costs a query"
    clock.now += REVISION_SECONDS + 0.1
    with pytest.raises(RefusedError, match="Denied"):
        await other.devices.authenticate(device.token)


@pytest.mark.parametrize(
    ("changes", "asked_again"), [({"name": "B"}, 0), ({"active": False}, 1), ({"serie_number": "B"}, 1)]
)
async def test_only_what_matters_to_posts_has_tokens_looked_up_again(
    registry: Registry,
    first: FirstStart,
    create_device: CreateDevice,
    clock: Clock,
    *,
    changes: dict[str, Any],
    asked_again: int,
) -> None:
    changed, device = await create_device(), await create_device()
    await registry.devices.authenticate(device.token)
    asked: list[str] = []
    engine = registry._database._engine.sync_engine
    event.listen(engine, "before_cursor_execute", lambda *arguments: asked.append(arguments[2]))
    await registry.devices.change(first.profile_id, changed.id, DeviceChanges.model_validate(changes))
    for _ in range(2):
        clock.now += REVISION_SECONDS + 0.1
        await registry.devices.authenticate(device.token)
    assert sum("JOIN device_tokens" in statement for statement in asked) == asked_again
