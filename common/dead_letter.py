"""The dead letter: one uplink that will not be tried again by itself, with the reason (docs/wire-format.md)."""

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import orjson

from common.envelope import Envelope, envelope_from_document, envelope_to_document, parse_time
from common.reason import Reason

LETTER_VERSION = 1


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One uplink that ended, or a whole frame that nobody could read.

    Exactly one of ``envelope`` (with the one item) and ``frame`` (the body as it came) is there.
    ``attempts`` counts the attempts that were made.
    """

    uplink_id: str
    reason: Reason
    detail: str
    attempts: int
    first_seen: datetime
    died_at: datetime
    envelope: Envelope | None = None
    frame: bytes | None = None


class Disposition(StrEnum):
    """What an operator did with a letter, which takes it off the list."""

    REPLAYED = "replayed"
    PURGED = "purged"


@dataclass(frozen=True, slots=True)
class Mark:
    """The note that a letter was dealt with."""

    uplink_id: str
    disposition: Disposition
    at: datetime


def encode_entry(entry: DeadLetter | Mark) -> bytes:
    """Encode a letter or a mark."""
    return orjson.dumps(entry_to_document(entry), option=orjson.OPT_UTC_Z)


def entry_to_document(entry: DeadLetter | Mark) -> dict[str, Any]:
    """Give the JSON object of a letter or a mark."""
    match entry:
        case Mark():
            return {
                "version": LETTER_VERSION,
                "entry": entry.disposition,
                "uplink_id": entry.uplink_id,
                "at": entry.at,
            }
        case DeadLetter():
            return {
                "version": LETTER_VERSION,
                "entry": "letter",
                "uplink_id": entry.uplink_id,
                "reason": entry.reason,
                "detail": entry.detail,
                "attempts": entry.attempts,
                "first_seen": entry.first_seen,
                "died_at": entry.died_at,
                "envelope": None if entry.envelope is None else envelope_to_document(entry.envelope),
                "frame": None if entry.frame is None else base64.b64encode(entry.frame).decode(),
            }


def decode_entry(body: bytes) -> DeadLetter | Mark:
    """Read what :func:`encode_entry` wrote; raises ValueError, TypeError or KeyError for anything else."""
    document = orjson.loads(body)
    if document["entry"] != "letter":
        return Mark(document["uplink_id"], Disposition(document["entry"]), parse_time(document["at"]))
    envelope, frame = document["envelope"], document["frame"]
    return DeadLetter(
        uplink_id=document["uplink_id"],
        reason=Reason(document["reason"]),
        detail=document["detail"],
        attempts=document["attempts"],
        first_seen=parse_time(document["first_seen"]),
        died_at=parse_time(document["died_at"]),
        envelope=None if envelope is None else envelope_from_document(envelope),
        frame=None if frame is None else base64.b64decode(frame),
    )


def fold_entries(entries: Iterable[DeadLetter | Mark]) -> list[DeadLetter]:
    """Give the letters that are still on the list, in the order in which they died.

    A letter puts its uplink on the list, a mark takes it off; a second letter about one uplink replaces the first.
    """
    letters: dict[str, DeadLetter] = {}
    for entry in entries:
        letters.pop(entry.uplink_id, None)
        if isinstance(entry, DeadLetter):
            letters[entry.uplink_id] = entry
    return list(letters.values())
