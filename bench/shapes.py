"""The uplinks that mapping is measured with, and a loop over one of them for callgrind.

    .venv/bin/python -m bench.shapes flat 500

It imports little: under callgrind, what is imported takes longer than what is counted.
"""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.uplinks import UPLINK
from common.envelope import Envelope, Uplink
from tests.support.directories import build_key, build_network
from workers.mapping import MappedUplink, map_uplink

CHIRPSTACK = Path(__file__).parents[1] / "tests" / "data" / "uplinks" / "chirpstack-v4.json"

SHAPES: dict[str, tuple[str, dict[str, Any]]] = {
    "flat": ("", UPLINK),
    "nested, ChirpStack v4": ("preset=chirpstack-v4", json.loads(CHIRPSTACK.read_text())),
    "100 fields": ("", {"serial": UPLINK["serial"], **{f"field_{number}": number / 8 for number in range(99)}}),
}
"""The field map of the key and the item, by name."""


def create_mapping(shape: str) -> Callable[[], object]:
    """Give a call that maps one uplink of this shape; it was tried once."""
    field_map, item = SHAPES[shape]
    key, network = build_key(field_map=field_map), build_network()
    arrived_at = datetime(2026, 11, 21, 1, 23, 45, 678901, tzinfo=UTC)
    uplink = Uplink(Envelope("6a1f0c52d3b19e4477aa01c9", key.id, arrived_at, {}, [(0, item)]), 0, item)
    assert isinstance(map_uplink(uplink, key, network), MappedUplink)
    return lambda: map_uplink(uplink, key, network)


def main() -> None:
    mapping = create_mapping(sys.argv[1])
    for _ in range(int(sys.argv[2])):
        mapping()


if __name__ == "__main__":
    main()
