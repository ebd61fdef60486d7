"""Documents: what the registry answers about what it holds, in the shapes of TagoIO's API."""

from datetime import datetime
from typing import Any, TypeAlias

from common.fields.reading_time import format_time
from registry.entries import ConnectorEntry, DeviceEntry, KeyEntry, NetworkEntry
from registry.ids import creation_time

Document: TypeAlias = dict[str, Any]


def write_network(network: NetworkEntry) -> Document:
    """Describe a network, without its tokens."""
    serial_number = network.serial_number
    return {
        "id": network.id,
        "name": network.name,
        "serial_number": None if serial_number is None else serial_number.model_dump(exclude_none=True),
        "profile": network.profile_id,
        "created_at": _created_at(network.id),
    }


def write_connector(connector: ConnectorEntry) -> Document:
    """Describe a connector."""
    return {
        "id": connector.id,
        "name": connector.name,
        "networks": connector.networks,
        "profile": connector.profile_id,
        "created_at": _created_at(connector.id),
    }


def write_device(device: DeviceEntry) -> Document:
    """Describe a device, without its tokens."""
    return {
        "id": device.id,
        "name": device.name,
        "network": device.network_id,
        "connector": device.connector_id,
        "serie_number": device.serial,
        "type": "mutable",
        "active": True,
        "profile": device.profile_id,
        "created_at": _created_at(device.id),
    }


def write_device_info(device: DeviceEntry, last_input: datetime | None) -> Document:
    """Describe a device to itself."""
    return {**write_device(device), "last_input": None if last_input is None else format_time(last_input)}


def write_key(key: KeyEntry) -> Document:
    """Describe an authorization key, with the key itself: its owner lists them to copy them."""
    return {
        "id": key.id,
        "name": key.name,
        "token": key.token.get_secret_value(),
        "verification_code": key.additional_parameters,
        "network": key.network_id,
        "enabled": key.enabled,
        "permission": "full",
        "profile": key.profile_id,
        "created_at": _created_at(key.id),
    }


def _created_at(created_id: str) -> str:
    return format_time(creation_time(created_id))
