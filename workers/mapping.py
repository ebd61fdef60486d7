"""Stage 1: from the fields of an uplink to TagoIO's records and a normalised serial. Pure."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

from common.directory.model import AuthorizationKey, Network
from common.envelope import Uplink
from common.fields.finding import find_set_aside
from common.fields.records import Record, Unmappable, map_fields
from common.reason import Reason
from common.serial import Serial, SerialMalformedError
from workers.outcome import DeadLettered, RetryLater, SetAside
from workers.unexpected import note_unexpected

Unmapped: TypeAlias = SetAside | DeadLettered | RetryLater


class MappedUplink(NamedTuple):
    """An uplink with its records; ``carries_payload`` says that a payload parser will run over it."""

    uplink: Uplink
    key: AuthorizationKey
    network: Network
    serial: Serial
    records: Sequence[Record]
    carries_payload: bool


def map_all(
    uplinks: Iterable[Uplink], key: AuthorizationKey, network: Network
) -> tuple[list[MappedUplink], list[Unmapped]]:
    """Map each uplink by itself: what cannot be mapped stops no other."""
    results = [_map_guarded(uplink, key, network) for uplink in uplinks]
    mapped = [result for result in results if isinstance(result, MappedUplink)]
    unmapped = [result for result in results if not isinstance(result, MappedUplink)]
    return mapped, unmapped


def map_uplink(uplink: Uplink, key: AuthorizationKey, network: Network) -> MappedUplink | SetAside | DeadLettered:
    """Map one uplink by the field map of its key and the serial rule of its network, as they are today."""
    if find_set_aside(key.field_map, uplink.item, uplink.envelope.query) is not None:
        return SetAside(uplink)
    mapped = map_fields(key.field_map, uplink)
    if isinstance(mapped, Unmappable):
        return DeadLettered(uplink, mapped.reason, mapped.detail)
    try:
        serial = network.serial.normalise(mapped.serial)
    except SerialMalformedError as error:
        return DeadLettered(uplink, Reason.SERIAL_MALFORMED, str(error))
    return MappedUplink(uplink, key, network, serial, mapped.records, mapped.carries_payload)


def _map_guarded(uplink: Uplink, key: AuthorizationKey, network: Network) -> MappedUplink | Unmapped:
    try:
        return map_uplink(uplink, key, network)
    except Exception as error:  # noqa: BLE001 - a bug met in one uplink may not take its neighbours with it
        return note_unexpected(uplink, error)
