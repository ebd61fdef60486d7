"""One event, and its encoding."""

from dataclasses import replace
from datetime import UTC, datetime

import orjson
import pytest

from common.events.event import (
    EVENT_BYTES,
    Event,
    EventUnreadableError,
    Stage,
    decode_event,
    encode_event,
    event_to_document,
)
from common.reason import Reason

NOON = datetime(2026, 11, 21, 12, 0, 0, 123456, tzinfo=UTC)
EVENT = Event(
    NOON,
    Stage.DEAD,
    "6a1f0c52d3b19e4477aa01c9/1",
    key="factory",
    network="lorawan",
    serial="12BAB34B55",
    reason=Reason.SERIAL_UNKNOWN,
    facts={"attempt": 1, "detail": "no device"},
)


@pytest.mark.parametrize(
    "event",
    [
        EVENT,
        replace(EVENT, key=None, network=None, serial=None, reason=None, uplink_id=None, facts={}, details={"a": []}),
    ],
)
def test_an_event_comes_out_as_it_went_in(event: Event) -> None:
    assert decode_event(encode_event(event)) == event


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"version": 1}',
        orjson.dumps(event_to_document(EVENT) | {"version": 2}),
        orjson.dumps(event_to_document(EVENT) | {"stage": "of_a_newer_version"}),
        orjson.dumps(event_to_document(EVENT) | {"reason": "of_a_newer_version"}),
        orjson.dumps(event_to_document(EVENT) | {"time": "yesterday"}),
    ],
)
def test_what_is_no_event_of_this_version_is_refused(body: bytes) -> None:
    with pytest.raises(EventUnreadableError):
        decode_event(body)


def test_what_is_too_long_is_left_out_by_name() -> None:
    long = replace(EVENT, details={"item": {"blob": "x" * EVENT_BYTES}, "query": {"event": "up"}})
    encoded = encode_event(long)
    assert len(encoded) < EVENT_BYTES
    decoded = decode_event(encoded)
    assert decoded.details == {"query": {"event": "up"}}
    assert decoded.facts == {**EVENT.facts, "left_out": ["item"]}
