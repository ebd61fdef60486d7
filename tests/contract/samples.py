"""Messages and letters for the contract suite."""

from datetime import UTC, datetime

from common.dead_letter import DeadLetter
from common.envelope import Envelope, encode_frame
from common.queue.protocol import Message
from common.reason import Reason

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
GROUP = "6a1f0c52d3b19e4477aa01c9"
PROBE = Message(b'{"version":1,"envelopes":[]}', uplinks=0)


def message(text: str, *, attempt: int = 1) -> Message:
    """A message that is recognised by its body."""
    return Message(text.encode(), uplinks=1, attempt=attempt)


def frame_of(*, items: int) -> Message:
    """A real frame of one request."""
    envelope = Envelope(
        group=GROUP,
        key_id="factory",
        arrived_at=NOON,
        query={"event": "up", "tag": ["a", "b"]},
        items=[(index, {"serial": f"12BAB34B{index:02}", "payload": "00 ü \u0000"}) for index in range(items)],
    )
    return Message(encode_frame([envelope]), uplinks=items)


def letter(uplink_id: str, *, detail: str = "", died_at: datetime = NOON) -> DeadLetter:
    """A letter about one uplink."""
    group, _, index = uplink_id.partition("/")
    envelope = Envelope(group, "factory", NOON, {}, [(int(index), {"serial": "12BAB34B54"})], first_seen=NOON)
    return DeadLetter(uplink_id, Reason.SERIAL_UNKNOWN, detail, 1, NOON, died_at, envelope=envelope)
