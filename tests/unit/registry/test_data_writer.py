"""Once each: what is posted is stored, and what is posted again is not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import delete, func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from common import metrics
from registry import data_writer
from registry.data_writer import DataWriter, DevicePost
from registry.database import Database
from registry.database_url import create_database
from registry.records import ValidRecord
from registry.refusal import RefusedError
from registry.schema import DEVICE_TOKENS, DEVICES, RECORDS, STORED_UPLINKS
from registry.service import Registry
from tests.unit.registry.devices import CreateDevice, Device

GROUP = "6a1f0c52d3b19e4477aa01c9"
NOW = datetime(2026, 11, 21, tzinfo=UTC)


class Disk:
    """What the database is kept on."""

    full = False


@pytest.fixture
def database(registry: Registry) -> Database:
    """The registry's database, under our own hands."""
    return registry._database


@pytest.fixture
def disk(database: Database, monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()
    begin = database._begin

    @asynccontextmanager
    async def begin_unless_full() -> AsyncIterator[AsyncConnection]:
        if disk.full:
            raise OperationalError("COMMIT", None, Exception("database or disk is full"))
        async with begin() as connection:
            yield connection

    monkeypatch.setattr(database, "_begin", begin_unless_full)
    return disk


@pytest.fixture
def writer(database: Database) -> DataWriter:
    return DataWriter(database)


@pytest.fixture
async def device(create_device: CreateDevice) -> Device:
    return await create_device()


def build_record(value: Any = 21.5, variable: str = "temperature") -> ValidRecord:
    return ValidRecord(variable, value, None, GROUP, NOW, None, None)


def build_post(device: Device, *indexes: int, records: int = 1) -> DevicePost:
    return DevicePost(device.id, [build_record()] * records, [f"{GROUP}/{index}" for index in indexes])


async def count_records(database: Database, device: Device) -> int:
    query = select(func.count()).select_from(RECORDS).where(RECORDS.c.device_id == device.id)
    async with database.reading() as connection:
        return (await connection.execute(query)).scalar_one()


async def test_records_are_stored(writer: DataWriter, database: Database, device: Device) -> None:
    assert await writer.store(build_post(device, records=3)) == 3
    assert await count_records(database, device) == 3


async def test_a_post_without_ids_is_stored_every_time(writer: DataWriter, database: Database, device: Device) -> None:
    assert [await writer.store(build_post(device)) for _ in range(2)] == [1, 1]
    assert await count_records(database, device) == 2


async def test_a_post_whose_uplinks_are_known_succeeds_and_stores_nothing(
    writer: DataWriter, database: Database, device: Device
) -> None:
    assert await writer.store(build_post(device, 0, 1, records=2)) == 2
    assert await writer.store(build_post(device, 0, 1, records=2)) == 0
    assert await writer.store(build_post(device, 1)) == 0
    assert await count_records(database, device) == 2


async def test_of_posts_at_the_same_time_with_the_same_uplink_one_is_stored(
    writer: DataWriter, database: Database, device: Device
) -> None:
    stored = await asyncio.gather(*(writer.store(build_post(device, 0)) for _ in range(5)))
    assert sorted(stored) == [0, 0, 0, 0, 1]
    assert await count_records(database, device) == 1


async def test_two_registries_on_one_database_store_an_uplink_once_too(
    writer: DataWriter, database: Database, device: Device, tmp_path: Path, database_url: SecretStr | None
) -> None:
    other = create_database(database_url, tmp_path)
    stored = await asyncio.gather(writer.store(build_post(device, 0)), DataWriter(other).store(build_post(device, 0)))
    await other.close()
    assert sorted(stored) == [0, 1]
    assert await count_records(database, device) == 1


async def test_an_uplink_is_known_for_its_device_alone(
    writer: DataWriter, database: Database, device: Device, create_device: CreateDevice
) -> None:
    other = await create_device()
    assert await writer.store(build_post(device, 0)) == 1
    assert await writer.store(build_post(other, 0)) == 1
    assert await count_records(database, other) == 1


async def test_a_post_that_is_known_in_part_is_refused_whole_until_its_sender_divides_it(
    writer: DataWriter, database: Database, device: Device
) -> None:
    await writer.store(build_post(device, 1))
    with pytest.raises(
        RefusedError, match=f"1 of the 3 uplinks.*send these apart from the others: {GROUP}/1$"
    ) as refused:
        await writer.store(build_post(device, 0, 1, 2, records=3))
    assert refused.value.status == 409
    assert await count_records(database, device) == 1
    assert [await writer.store(build_post(device, index)) for index in range(3)] == [1, 0, 1]
    assert await count_records(database, device) == 3


async def test_posts_that_wait_together_share_a_transaction_and_none_is_confused_with_another(
    writer: DataWriter, database: Database, create_device: CreateDevice
) -> None:
    devices = [await create_device() for _ in range(10)]
    stored = await asyncio.gather(
        *(writer.store(build_post(device, index, records=index + 1)) for index, device in enumerate(devices))
    )
    assert stored == list(range(1, 11))
    assert [await count_records(database, device) for device in devices] == stored


async def test_a_post_larger_than_a_transaction_is_stored_whole(
    writer: DataWriter, database: Database, device: Device
) -> None:
    rows = data_writer.MOST_ROWS + 1
    assert await asyncio.gather(*(writer.store(build_post(device, records=rows)) for _ in range(2))) == [rows, rows]
    assert await count_records(database, device) == 2 * rows


async def test_a_device_that_is_gone_is_denied_and_its_neighbours_are_stored(
    writer: DataWriter, database: Database, create_device: CreateDevice
) -> None:
    before, gone, after = [await create_device() for _ in range(3)]
    async with database.writing() as connection:
        await connection.execute(delete(DEVICE_TOKENS).where(DEVICE_TOKENS.c.device_id == gone.id))
        await connection.execute(delete(DEVICES).where(DEVICES.c.id == gone.id))
    outcomes = await asyncio.gather(
        *(writer.store(build_post(device, 0)) for device in (before, gone, after)), return_exceptions=True
    )
    assert outcomes[0] == outcomes[2] == 1
    assert isinstance(outcomes[1], RefusedError)
    assert outcomes[1].status == 401


async def test_a_post_that_cannot_be_written_fails_alone(
    writer: DataWriter, database: Database, device: Device
) -> None:
    broken = DevicePost(device.id, [build_record(value=object())])
    outcomes = await asyncio.gather(
        writer.store(build_post(device)), writer.store(broken), writer.store(build_post(device)), return_exceptions=True
    )
    assert outcomes[0] == outcomes[2] == 1
    assert isinstance(outcomes[1], Exception)
    assert not isinstance(outcomes[1], RefusedError)
    assert database.unavailable is None


async def test_while_the_disk_is_full_posts_are_answered_503_and_afterwards_they_are_stored(
    writer: DataWriter, database: Database, disk: Disk, device: Device
) -> None:
    disk.full = True
    with pytest.raises(RefusedError) as refused:
        await writer.store(build_post(device, 0))
    assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "1"})
    assert database.unavailable == "cannot be written: OperationalError"
    disk.full = False
    assert await writer.store(build_post(device, 0)) == 1
    assert database.unavailable is None


async def test_more_than_may_wait_is_answered_503(
    writer: DataWriter, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_writer, "MOST_WAITING_ROWS", 4)
    outcomes = await asyncio.gather(
        *(writer.store(build_post(device, records=2)) for _ in range(3)), return_exceptions=True
    )
    assert outcomes[:2] == [2, 2]
    assert isinstance(outcomes[2], RefusedError)
    assert outcomes[2].status == 503
    assert await writer.store(build_post(device, records=5)) == 5


async def test_a_sender_that_has_gone_away_harms_nobody(writer: DataWriter, database: Database, device: Device) -> None:
    leaving = writer.store(build_post(device, 0))
    staying = writer.store(build_post(device, 1))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying == 1
    await writer.finish()
    assert await count_records(database, device) == 2


async def test_an_uplink_is_remembered_for_seven_days_and_then_forgotten(writer: DataWriter, device: Device) -> None:
    await writer.store(build_post(device, 0))
    now = datetime.now(UTC)
    await writer.forget_uplinks(now + timedelta(days=7) - timedelta(minutes=1))
    assert await writer.store(build_post(device, 0)) == 0
    await writer.forget_uplinks(now + timedelta(days=7, minutes=1))
    assert await writer.store(build_post(device, 0)) == 1


async def test_forgetting_leaves_what_is_younger(writer: DataWriter, database: Database, device: Device) -> None:
    await writer.store(build_post(device, *range(10)))
    async with database.writing() as connection:
        for index in range(5):
            at = NOW + timedelta(hours=index)
            changed = STORED_UPLINKS.update().where(STORED_UPLINKS.c.uplink_id == f"{GROUP}/{index}")
            await connection.execute(changed.values(stored_at=at))
    await writer.forget_uplinks(NOW + data_writer.REMEMBERED + timedelta(hours=2))
    async with database.reading() as connection:
        left = (await connection.execute(select(STORED_UPLINKS.c.uplink_id))).scalars().all()
    assert sorted(left) == [f"{GROUP}/{index}" for index in range(3, 10)]


async def test_what_is_stored_and_what_comes_again_is_counted(writer: DataWriter, device: Device) -> None:
    def count() -> list[float]:
        names = ("sluice_records_stored_total", "sluice_uplinks_repeated_total", "sluice_store_waiting")
        return [metrics.REGISTRY.get_sample_value(name) or 0.0 for name in names]

    before = count()
    await writer.store(build_post(device, 0, 1, records=3))
    await writer.store(build_post(device, 0, 1, records=3))
    await writer.store(DevicePost(device.id, [], [f"{GROUP}/2"]))  # a parser may make nothing of an uplink
    assert [after - earlier for after, earlier in zip(count(), before, strict=True)] == [3, 2, 0]
