"""Documents: what the registry answers about what it holds, in the shapes of TagoIO's API."""

from datetime import datetime
from typing import Any, TypeAlias

from common.fields.reading_time import format_time
from registry.entries import ConnectorEntry, DeviceEntry, KeyEntry, NetworkEntry, ProfileEntry, TokenEntry
from registry.ids import creation_time

Document: TypeAlias = dict[str, Any]

_OWNERS_ONLY = ("payload_decoder", "middleware_endpoint")
"""What a profile that may only use a thing is not told: somebody's program, and where somebody's server is."""


def write_profile(profile: ProfileEntry) -> Document:
    """Describe a profile, without its token."""
    return {
        "id": profile.id,
        "name": profile.name,
        "administrator": profile.administrator,
        "created_at": _created_at(profile.id),
    }


def write_network(network: NetworkEntry, reader_id: str | None = None) -> Document:
    """Describe a network to the profile that reads it, without its tokens; None: to itself."""
    serial_number = network.serial_number
    return {
        "id": network.id,
        "name": network.name,
        "serial_number": None if serial_number is None else serial_number.model_dump(exclude_none=True),
        **_write_details(network, of_others=reader_id not in {None, network.profile_id}),
        "public": network.public,
        "profile": network.profile_id,
        "created_at": _created_at(network.id),
    }


def write_connector(connector: ConnectorEntry, reader_id: str) -> Document:
    """Describe a connector to the profile that reads it."""
    return {
        "id": connector.id,
        "name": connector.name,
        "networks": connector.networks,
        **_write_details(connector, of_others=reader_id != connector.profile_id),
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
        "active": device.active,
        **_write_details(device),
        "tags": device.details.get("tags") or [],
        "bucket": {"id": device.id, "name": device.name},
        "profile": device.profile_id,
        "created_at": _created_at(device.id),
    }


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
        "expire_time": "never" if key.expires_at is None else format_time(key.expires_at),
        "profile": key.profile_id,
        "created_at": _created_at(key.id),
    }


def write_token(token: TokenEntry) -> Document:
    """Describe a token of a network or a device, with the token itself: its owner lists them to copy them."""
    return {
        "id": token.id,
        "name": token.name,
        "token": token.token.get_secret_value(),
        "permission": token.permission,
        "expire_time": "never",
        "created_at": _created_at(token.id),
    }


def _write_details(entry: NetworkEntry | ConnectorEntry | DeviceEntry, *, of_others: bool = False) -> Document:
    return {
        name: format_time(value) if isinstance(value, datetime) else value
        for name, value in entry.details.items()
        if not (of_others and name in _OWNERS_ONLY)
    }


def _created_at(created_id: str) -> str:
    return format_time(creation_time(created_id))
