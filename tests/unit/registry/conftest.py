"""An open registry on a database of its own, and what a client of it needs."""

import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from registry.entries import NewDevice
from registry.first_start import FirstStart
from registry.service import Registry
from tests.unit.registry.devices import CreateDevice, Device


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[Registry]:
    async with Registry(tmp_path, port=0) as registry:
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
