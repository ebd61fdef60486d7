"""What happened to an uplink: one value, and its encoding (docs/wire-format.md)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

import orjson

from common.envelope import parse_time
from common.reason import Reason

EVENT_VERSION = 1

EVENT_BYTES = 65_536
"""Of one encoded event: what it holds beyond that is left out of it, by name."""

SHORT_BYTES = 2_000
"""What stays in an event from which something is left out."""


class Stage(StrEnum):
    """How far an uplink has come; ``refused`` is a whole request, which brought none."""

    REFUSED = "refused"
    ACCEPTED = "accepted"
    MAPPED = "mapped"
    RESOLVED = "resolved"
    POST_FAILED = "post_failed"
    POSTED = "posted"
    SAID = "said"
    SET_ASIDE = "set_aside"
    RETRIED = "retried"
    PUT_BACK = "put_back"
    DEAD = "dead"


class EventUnreadableError(Exception):
    """What came is no event, or one of a newer version."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to one uplink, at one stage. What is not known where it happened is None.

    ``facts`` are short, and differ by stage. ``details`` is what the uplink held there; it is there only while
    somebody watches who asked for it. Neither holds a token.
    """

    time: datetime
    stage: Stage
    uplink_id: str | None
    key: str | None = None
    network: str | None = None
    serial: str | None = None
    reason: Reason | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    details: Mapping[str, Any] | None = None


def encode_event(event: Event) -> bytes:
    """Encode an event. Raises TypeError for what is no JSON."""
    encoded = orjson.dumps(event_to_document(event), option=orjson.OPT_UTC_Z)
    if len(encoded) > EVENT_BYTES:
        return orjson.dumps(event_to_document(_shorten(event)), option=orjson.OPT_UTC_Z)
    return encoded


def event_to_document(event: Event) -> dict[str, Any]:
    """Give the JSON object of an event."""
    return {
        "version": EVENT_VERSION,
        "time": event.time,
        "stage": event.stage,
        "uplink_id": event.uplink_id,
        "key": event.key,
        "network": event.network,
        "serial": event.serial,
        "reason": event.reason,
        "facts": event.facts,
        "details": event.details,
    }


def decode_event(body: bytes | str) -> Event:
    """Read what :func:`encode_event` gave; raises :class:`EventUnreadableError`."""
    try:
        return event_from_document(orjson.loads(body))
    except ValueError as error:
        raise EventUnreadableError(f"this is no event: {error}") from error


def event_from_document(document: Mapping[str, Any]) -> Event:
    """Read what :func:`event_to_document` gave; raises :class:`EventUnreadableError`."""
    try:
        if document["version"] != EVENT_VERSION:
            raise EventUnreadableError(f"an event of version {document['version']}; this version reads {EVENT_VERSION}")
        return Event(
            time=parse_time(document["time"]),
            stage=Stage(document["stage"]),
            uplink_id=document["uplink_id"],
            key=document["key"],
            network=document["network"],
            serial=document["serial"],
            reason=None if document["reason"] is None else Reason(document["reason"]),
            facts=document["facts"],
            details=document["details"],
        )
    except (ValueError, TypeError, KeyError) as error:
        raise EventUnreadableError(f"this is no event that this version reads: {error!r}") from error


def _shorten(event: Event) -> Event:
    """Leave out what is long, and name it in the facts."""
    left_out: list[str] = []

    def keep(fields: Mapping[str, Any]) -> dict[str, Any]:
        short = {name: value for name, value in fields.items() if len(orjson.dumps(value)) <= SHORT_BYTES}
        left_out.extend(name for name in fields if name not in short)
        return short

    facts = keep(event.facts)
    details = None if event.details is None else keep(event.details)
    return replace(event, facts={**facts, "left_out": left_out}, details=details)
