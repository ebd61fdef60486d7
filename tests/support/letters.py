"""Dead letters for unit tests."""

from dataclasses import replace
from datetime import UTC, datetime

from common.dead_letter import DeadLetter
from common.envelope import Item
from common.reason import Reason
from tests.support.uplinks import build_envelope

GROUP = "6a1f0c52d3b19e4477aa01c9"
DIED_AT = datetime(2026, 11, 21, 1, 23, 45, 702345, tzinfo=UTC)


def build_letter(
    index: int = 0,
    *,
    reason: Reason = Reason.SERIAL_UNKNOWN,
    detail: str = "Device Not Found",
    key: str = "factory",
    item: Item = None,
    died_at: datetime = DIED_AT,
) -> DeadLetter:
    """A letter about one uplink; without an ``item``, about one with a serial under a common name."""
    envelope = replace(build_envelope(key=key, group=GROUP), items=[(index, item or {"serial": "12BAB34B55"})])
    return DeadLetter(f"{GROUP}/{index}", reason, detail, 3, DIED_AT, died_at, envelope=envelope)


def build_frame_letter(body: bytes = b'{"version":7}', *, uplink_id: str = "frame/0b3c6d0e") -> DeadLetter:
    """A letter about a whole message; with the id of an uplink, one that is cut."""
    return replace(
        build_letter(reason=Reason.ENVELOPE_UNSUPPORTED), uplink_id=uplink_id, envelope=None, frame=body, uplinks=1
    )
