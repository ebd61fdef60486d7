"""The dead letter: one uplink that will not be tried again by itself, with the reason (docs/wire-format.md)."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

import orjson

from common.envelope import Envelope, envelope_from_document, envelope_to_document, parse_time
from common.reason import Reason

LETTER_VERSION = 1

FRAME_PREFIX = "frame/"
"""Begins the id of a letter about a whole message; the message's id follows."""

HISTORY_LENGTH = 10
"""Earlier deaths of an uplink that are told, the latest ones: somebody may replay the hopeless every hour."""

FRAME_CHARACTERS = 2_000
"""How much of a frame that nobody could read is shown to people; ``sluice dead show --json`` has all of it."""


class LetterId(NamedTuple):
    """Which letter is meant: an uplink that was replayed and died again has another one."""

    uplink_id: str
    died_at: datetime


class Disposition(StrEnum):
    """What an operator did with a letter, which takes it off the list."""

    REPLAYED = "replayed"
    PURGED = "purged"


@dataclass(frozen=True, slots=True)
class Death:
    """How an uplink ended at an earlier time, and what was done then.

    Without a ``disposition`` it ended once more before anybody had done anything, as after a redelivery.
    """

    reason: Reason
    detail: str
    attempts: int
    died_at: datetime
    disposition: Disposition | None = None
    marked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One uplink that ended, or a whole frame that nobody could read.

    Exactly one of ``envelope`` (with the one item) and ``frame`` (the body as it came) is there.
    ``attempts`` counts the attempts that were made. ``uplinks`` is 1, but for a whole frame: as many as its header
    said. ``history`` holds the earlier deaths of the same uplink, the oldest first; it is read from the entries before
    this one and not stored with it.
    """

    uplink_id: str
    reason: Reason
    detail: str
    attempts: int
    first_seen: datetime
    died_at: datetime
    envelope: Envelope | None = None
    frame: bytes | None = None
    uplinks: int = 1
    history: tuple[Death, ...] = ()

    @property
    def id(self) -> LetterId:
        """What a mark names it by."""
        return LetterId(self.uplink_id, self.died_at)

    @property
    def key_id(self) -> str:
        """The key that the uplink came with; empty for a message that nobody could read."""
        return "" if self.envelope is None else self.envelope.key_id

    @property
    def is_cut(self) -> bool:
        """Whether it holds only the beginning of the message that its uplink came in: there is nothing to replay."""
        return self.frame is not None and not self.uplink_id.startswith(FRAME_PREFIX)


@dataclass(frozen=True, slots=True)
class Mark:
    """The note that a letter was dealt with: the one of this ``died_at``, and no later one about the same uplink.

    A replayed uplink may have died again before the mark is written. None, as in old marks: whichever is on the list.
    ``uplinks`` went back into the queue; a purge puts none there.
    """

    uplink_id: str
    disposition: Disposition
    at: datetime
    died_at: datetime | None = None
    uplinks: int = 0


def encode_entry(entry: DeadLetter | Mark) -> bytes:
    """Encode a letter, without its history, or a mark."""
    return orjson.dumps(entry_to_document(entry), option=orjson.OPT_UTC_Z)


def entry_to_document(entry: DeadLetter | Mark) -> dict[str, Any]:
    """Give the JSON object of a letter, without its history, or of a mark."""
    match entry:
        case Mark():
            return {
                "version": LETTER_VERSION,
                "entry": entry.disposition,
                "uplink_id": entry.uplink_id,
                "at": entry.at,
                "died_at": entry.died_at,
                "uplinks": entry.uplinks,
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
                "uplinks": entry.uplinks,
            }


def decode_entry(body: bytes) -> DeadLetter | Mark:
    """Read what :func:`encode_entry` wrote; raises ValueError, TypeError or KeyError for anything else."""
    document = orjson.loads(body)
    if document["entry"] != "letter":
        return _read_mark(document)
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
        uplinks=document.get("uplinks", 1),  # older letters do not say
    )


def _read_mark(document: dict[str, Any]) -> Mark:
    died_at, disposition = document.get("died_at"), Disposition(document["entry"])
    return Mark(
        uplink_id=document["uplink_id"],
        disposition=disposition,
        at=parse_time(document["at"]),
        died_at=None if died_at is None else parse_time(died_at),
        uplinks=document.get("uplinks", 1 if disposition is Disposition.REPLAYED else 0),  # older marks do not say
    )


class DeadLetterList:
    """The letters that are still on the list: the fold of all entries, which are added in their order.

    A letter puts its uplink on the list, a mark takes it off; a second letter about one uplink replaces the first,
    whose death becomes history. Letters are kept encoded: a list may be long, and a decoded one takes far more memory.
    """

    def __init__(self) -> None:
        self._bodies: dict[str, bytes] = {}
        self._deaths: dict[str, tuple[Death, ...]] = {}
        self._replays: list[tuple[datetime, int]] = []

    def add(self, body: bytes) -> None:
        """Add the next entry; raises ValueError, TypeError or KeyError, and changes nothing, when it is none."""
        match decode_entry(body):
            case DeadLetter(uplink_id=uplink_id):
                self._retire(uplink_id, None)
                self._bodies[uplink_id] = body
            case Mark() as mark:
                self._take_off(mark)
                if mark.uplinks:
                    self._replays.append((mark.at, mark.uplinks))

    def __iter__(self) -> Iterator[DeadLetter]:
        """Give the letters in the order in which they died, each with its history."""
        for uplink_id, body in self._bodies.items():
            yield replace(_decode_letter(body), history=self._deaths.get(uplink_id, ()))

    def count_replayed(self, since: datetime) -> int:
        """Count the uplinks that went back into the queue from then on."""
        return sum(uplinks for at, uplinks in self._replays if at >= since)

    def _take_off(self, mark: Mark) -> None:
        body = self._bodies.get(mark.uplink_id)
        if body is not None and mark.died_at in {None, _decode_letter(body).died_at}:
            self._retire(mark.uplink_id, mark)
        elif deaths := self._deaths.get(mark.uplink_id):
            self._deaths[mark.uplink_id] = tuple(
                replace(death, disposition=mark.disposition, marked_at=mark.at)
                if death.died_at == mark.died_at
                else death
                for death in deaths
            )

    def _retire(self, uplink_id: str, mark: Mark | None) -> None:
        """Move the letter that is on the list, if there is one, to the history of its uplink."""
        body = self._bodies.pop(uplink_id, None)
        if body is None:
            return
        letter = _decode_letter(body)
        death = Death(
            reason=letter.reason,
            detail=letter.detail,
            attempts=letter.attempts,
            died_at=letter.died_at,
            disposition=None if mark is None else mark.disposition,
            marked_at=None if mark is None else mark.at,
        )
        self._deaths[uplink_id] = (*self._deaths.get(uplink_id, ()), death)[-HISTORY_LENGTH:]


def _decode_letter(body: bytes) -> DeadLetter:
    """Decode what is known to be a letter."""
    entry = decode_entry(body)
    if not isinstance(entry, DeadLetter):
        raise TypeError("a letter expected")
    return entry
