"""What excludes each other and is asked for at the same moment: one is done, and the other is told why it is not.

On PostgreSQL, since SQLite has one writer at a time.
"""

import asyncio
import pkgutil
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeAlias

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from registry.entries import ConnectorChanges, NewDevice, NewKey, NewNetwork, ProfileEntry
from registry.first_start import FirstStart
from registry.refusal import RefusedError
from registry.service import Registry
from tests.support.registry_database import empty_database
from tests.support.waiting import eventually

WAITING = text("SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")

Work: TypeAlias = Coroutine[Any, Any, object]
Meet: TypeAlias = Callable[[str, Work, Work], Awaitable[list[int | None]]]


@pytest.fixture
def database_url(postgresql_url: SecretStr) -> SecretStr:
    empty_database(postgresql_url)
    return postgresql_url


@pytest.fixture
def meet(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Meet:
    """Have one work get past a function, another as far as it can, and then both to their end.

    Gives the statuses with which they were refused, None for what was done.
    """
    reached, over = asyncio.Event(), asyncio.Event()

    def pause_after(function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def pausing(*arguments: Any) -> Any:
            result = await function(*arguments)
            reached.set()
            await over.wait()
            return result

        return pausing

    async def find_status(work: Work) -> int | None:
        try:
            await work
        except RefusedError as refused:
            return refused.status
        return None

    async def meet(place: str, one: Work, another: Work) -> list[int | None]:
        monkeypatch.setattr(place, pause_after(pkgutil.resolve_name(place)))
        first = asyncio.create_task(find_status(one))
        await reached.wait()
        second = asyncio.create_task(find_status(another))

        async def gets_no_further() -> bool:
            async with registry._database.reading() as connection:
                return second.done() or (await connection.execute(WAITING)).first() is not None

        await eventually(gets_no_further)
        over.set()
        return [await first, await second]

    return meet


@pytest.fixture
def new_device(first: FirstStart) -> NewDevice:
    return NewDevice(name="A", network=first.network_id, connector=first.connector_id, serie_number="A")


async def test_a_connector_stays_while_a_device_of_it_is_created(
    registry: Registry, first: FirstStart, new_device: NewDevice, meet: Meet
) -> None:
    creating = registry.devices.create(first.profile_id, new_device)
    removing = registry.connectors.remove(first.profile_id, first.connector_id)
    assert await meet("registry.devices.check_connector", creating, removing) == [None, 409]


async def test_a_device_is_not_created_with_a_connector_that_is_being_removed(
    registry: Registry, first: FirstStart, new_device: NewDevice, meet: Meet
) -> None:
    removing = registry.connectors.remove(first.profile_id, first.connector_id)
    creating = registry.devices.create(first.profile_id, new_device)
    assert await meet("registry.connectors.describe_references", removing, creating) == [None, 404]


async def test_a_device_is_not_created_in_a_network_that_its_connector_is_leaving_out(
    registry: Registry, first: FirstStart, new_device: NewDevice, meet: Meet
) -> None:
    other = await registry.networks.create(first.profile_id, NewNetwork(name="LoRaWAN"))
    changes = ConnectorChanges.model_validate({"networks": [other.id]})
    changing = registry.connectors.change(ProfileEntry(first.profile_id, "Default"), first.connector_id, changes)
    creating = registry.devices.create(first.profile_id, new_device)
    assert await meet("registry.connectors._change_networks", changing, creating) == [None, 400]


@pytest.mark.parametrize("named", [True, False])
async def test_a_network_stays_while_a_key_for_it_is_created(
    registry: Registry, first: FirstStart, meet: Meet, *, named: bool
) -> None:
    await registry.connectors.remove(first.profile_id, first.connector_id)
    new = NewKey(name="Factory", network=first.network_id if named else None)
    creating = registry.keys.create(first.profile_id, new)
    removing = registry.networks.remove(first.profile_id, first.network_id)
    assert await meet("registry.keys._choose_network", creating, removing) == [None, 409]
