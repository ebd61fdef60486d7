"""The ``curl`` lines that a person copies to send an uplink, and to read what came of it."""

import json
import shlex
from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr


def write_send_curl(ingest_url: str, key: SecretStr, item: Mapping[str, Any]) -> str:
    """Give a command that sends this uplink; one line, so that it can be copied."""
    return (
        f"curl {shlex.quote(ingest_url + '/uplink')} -H 'Authorization: {key.get_secret_value()}'"
        f" -H 'Content-Type: application/json' -d {shlex.quote(json.dumps(item))}"
    )


def make_sample(serial: str) -> dict[str, Any]:
    """Give an uplink of this device, with its fields under common names."""
    return {"serial": serial, "payload": "0011AA", "port": 10}


def write_read_curl(registry_url: str, device_token: SecretStr) -> str:
    """Give a command that shows what the registry has of this device."""
    return f"curl {shlex.quote(registry_url + '/data')} -H 'Device-Token: {device_token.get_secret_value()}'"
