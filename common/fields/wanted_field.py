"""The fields that every uplink is searched for: their common names, and what values they may hold."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from sys import getsizeof

from common.fields.number import read_number

INTEGER_BITS = 64
"""Integers of JSON have at most these; a longer one has already lost its last digits."""

SHAPES = 1_000
"""Of objects, whose candidates are remembered for each wanted field: a network server sends a handful."""

SHAPE_BYTES = 8_000
"""Of an object's keys in memory together; the candidates of a larger one are found anew each time."""


class _Candidates(dict[tuple[str, ...], tuple[str, ...]]):
    """Which keys of an object may hold the field, first to last, by all of its keys in their order."""

    def __init__(self, ranks: Mapping[str, int]) -> None:
        super().__init__()
        self._ranks = ranks

    def __missing__(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        ranks = self._ranks
        candidates = sorted((key for key in keys if key.lower() in ranks), key=lambda key: ranks[key.lower()])
        if sum(map(getsizeof, keys)) <= SHAPE_BYTES:
            if len(self) >= SHAPES:
                self.clear()
            self[keys] = tuple(candidates)
        return tuple(candidates)


@dataclass(frozen=True, slots=True)
class WantedField:
    """One of the fields that a map finds.

    ``usable`` says what it may hold, to the sender. ``ranks`` are the common names in lower case and the order in which
    they are tried. ``candidates`` gives, by the keys of an object, those that bear one of these names, in that order:
    the objects of a fleet have the same keys again and again.
    """

    name: str
    usable: str
    common_names: tuple[str, ...]
    ranks: Mapping[str, int]
    candidates: Mapping[tuple[str, ...], tuple[str, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "candidates", _Candidates(self.ranks))


def _want(name: str, usable: str, common_names: str) -> WantedField:
    names = tuple(common_names.split())
    return WantedField(name, usable, names, {common.lower(): rank for rank, common in enumerate(names)})


SERIAL = _want(
    "serial",
    "a serial is a non-empty string or an integer of at most 64 bits",
    "serial serial_number device device_id deviceId deveui dev_eui hardware_serial eui imei imsi",
)
PAYLOAD = _want(
    "payload",
    "a payload is a string",
    "payload payload_hex payload_raw data frm_payload dataFrame pdu",
)
PORT = _want(
    "port",
    "a port is a whole number, or a string that spells one",
    "port fport f_port",
)
TIME = _want(
    "time",
    "a time is ISO 8601 or Unix time, at most a day after the arrival",
    "time",
)


def read_serial(value: object) -> str | None:
    """Give a serial without the spaces around it, or ``None``."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= INTEGER_BITS:
        return str(value)
    return None


def read_payload(value: object) -> str | None:
    """Give a payload, which may be empty, or ``None``."""
    return value if isinstance(value, str) else None


def read_port(value: object) -> int | None:
    """Give a port, or ``None``."""
    number = read_number(value)
    port = None if number is None else int(number)
    return port if port == number and port is not None and port.bit_length() < INTEGER_BITS else None
