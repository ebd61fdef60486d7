"""What is sent in the measurements: the same bodies to every system."""

from typing import Any

import orjson

AUTHORIZATION = "bench-authorization"
NETWORK_TOKEN = "bench-network-token"
DEVICES = 1_000
BATCH = 10

UPLINK = {"serial": "0A1B2C3D4E5F6071", "payload": "0011AA22BB33", "port": 10, "rssi": -70, "snr": 9.5, "fcnt": 4711}
"""An uplink with a raw payload, which never shares a post: what the ingest is measured with."""

BODIES = {"batch of 10": orjson.dumps([UPLINK] * BATCH), "single uplink": orjson.dumps(UPLINK)}


def create_uplink(mark: int, devices: int = DEVICES) -> dict[str, Any]:
    """Give an uplink of one of the devices in turn, that the sink knows again by its mark."""
    return {**UPLINK, "serial": f"{mark % devices:016X}", "mark": mark}


def create_batch(first: int, size: int = BATCH, *, devices: int = DEVICES) -> bytes:
    """Give the body of a request with the uplinks from this mark on."""
    return orjson.dumps([create_uplink(mark, devices) for mark in range(first, first + size)])
