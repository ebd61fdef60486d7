"""Uplinks for unit tests, at every stage of the way."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr

from common.directory.model import AuthorizationKey, Network
from common.envelope import Envelope, Item, Uplink
from common.serial import Serial
from tests.support.directories import build_key, build_network
from workers.mapping import MappedUplink
from workers.resolver import DeviceToken, ResolvedUplink

ARRIVED = datetime(2026, 11, 21, 1, 23, 45, 678901, tzinfo=UTC)


def build_envelope(
    *items: Item, key: str = "factory", group: str = "6a1f0c52d3b19e4477aa01c9", attempt: int = 1
) -> Envelope:
    return Envelope(
        group=group,
        key_id=key,
        arrived_at=ARRIVED,
        query={},
        items=list(enumerate(items or ({"serial": "AA"},))),
        attempt=attempt,
    )


def build_uplinks(count: int, *, attempt: int = 1) -> list[Uplink]:
    return build_envelope(*({"serial": f"S{n}"} for n in range(count)), attempt=attempt).uplinks()


def build_mapped(
    uplink: Uplink | None = None,
    *,
    serial: str = "AA",
    records: Sequence[dict[str, Any]] = ({"variable": "temperature", "value": 21.5},),
    carries_payload: bool = False,
    key: AuthorizationKey | None = None,
    network: Network | None = None,
) -> MappedUplink:
    return MappedUplink(
        uplink=uplink or build_uplinks(1)[0],
        key=key or build_key(),
        network=network or build_network(),
        serial=Serial(serial),
        records=list(records),  # type: ignore[arg-type]
        carries_payload=carries_payload,
    )


def build_resolved(mapped: MappedUplink | None = None, *, token: str = "device-a") -> ResolvedUplink:
    return ResolvedUplink(mapped or build_mapped(), DeviceToken(SecretStr(token)))
