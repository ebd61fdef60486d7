"""Which dead letters a page is about, how many there are of what, and the story of one. No page and no request here."""

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias
from urllib.parse import urlencode

import orjson

from common.dead_letter import DeadLetter, LetterId
from common.directory.model import Directory
from common.fields.field_map import spell_field_map
from common.letter_selection import LetterSelection, find_key, read_serial
from common.queue.protocol import Queue
from common.reason import Reason
from common.remedy import find_remedy
from console.refusal import RefusedError

PAGE_LETTERS: Final = 50

FRAME_CHARACTERS: Final = 2_000

REPLAY_RATE: Final = 50
"""Uplinks a second: 3,000 a minute, which leaves room beside them within the limits of TagoIO's plans."""

_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
"""What TOML takes for a name without quotes."""


FindDirectory: TypeAlias = Callable[[], Awaitable[Directory | None]]
"""Gives the directory as it is today; None where it cannot be read."""


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """See :class:`common.letter_selection.LetterQuery`; one value of each at most. ``until``: they died by then."""

    reason: tuple[Reason, ...] = ()
    key: tuple[str, ...] = ()
    network: tuple[str, ...] = ()
    serial: tuple[str, ...] = ()
    older_than: timedelta | None = None
    younger_than: timedelta | None = None
    uplink_id: str = ""
    until: datetime | None = None

    @property
    def parameters(self) -> dict[str, str]:
        """What is asked for, as the query of an address or the fields of a form."""
        given = {"reason": self.reason, "key": self.key, "network": self.network, "serial": self.serial}
        parameters = {name: str(values[0]) for name, values in given.items() if values}
        return parameters | ({"uplink_id": self.uplink_id} if self.uplink_id else {})

    @property
    def query(self) -> str:
        """Give the query of an address."""
        return urlencode(self.parameters)


def read_filter(fields: Mapping[str, str]) -> LetterFilter:
    """Read what a query or a form asks for. Raises :class:`RefusedError` (400) for a reason or a time that is none."""

    def one(name: str) -> tuple[str, ...]:
        value = fields.get(name, "").strip()
        return (value,) if value else ()

    until = fields.get("until", "")
    try:
        return LetterFilter(
            reason=tuple(map(Reason, one("reason"))),
            key=one("key"),
            network=one("network"),
            serial=one("serial"),
            uplink_id=fields.get("uplink_id", "").strip(),
            until=_read_moment(until) if until else None,
        )
    except ValueError:
        raise RefusedError(400, "There is no such reason, or no such time") from None


def _read_moment(text: str) -> datetime:
    """Read a time with its offset. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without an offset is none of one moment")
    return moment


@dataclass(slots=True)
class Chosen:
    """What fits a filter: some letters to be shown, all of their ids, and counts by reason and key."""

    shown: list[DeadLetter] = field(default_factory=list)
    letter_ids: set[LetterId] = field(default_factory=set)
    counts: Counter[tuple[Reason, str]] = field(default_factory=Counter)
    cut: int = 0
    """Letters that hold only a part of the message that they came in, and cannot be replayed."""

    @property
    def total(self) -> int:
        """How many letters fit."""
        return self.counts.total()


async def choose_letters(
    queue: Queue, wanted: LetterFilter, directory: Directory | None, *, page: int = 1, skip_cut: bool = False
) -> Chosen:
    """Go through the list once. ``skip_cut``: the ids of letters that are cut are left out.

    Raises :class:`common.queue.protocol.QueueUnavailableError`.
    """
    chosen, skipped = Chosen(), (page - 1) * PAGE_LETTERS
    named = (wanted.uplink_id,) if wanted.uplink_id else ()
    selection = LetterSelection(named, wanted, directory, datetime.now(UTC))
    async with aclosing(selection.choose(queue.dead_letters())) as letters:
        async for letter in letters:
            if wanted.until is not None and letter.died_at > wanted.until:
                continue
            if skipped <= chosen.total < skipped + PAGE_LETTERS:
                chosen.shown.append(letter)
            chosen.counts[letter.reason, key_of(letter)] += 1
            chosen.cut += letter.is_cut
            if not (skip_cut and letter.is_cut):
                chosen.letter_ids.add(letter.id)
    return chosen


def key_of(letter: DeadLetter) -> str:
    """Give the id of the key that the uplink came with; empty for a message that nobody could read."""
    return "" if letter.envelope is None else letter.envelope.key_id


def write_toml_line(key_id: str, field_map: str) -> tuple[str, str]:
    """Give the table of a key in ``sluice.toml``, and the line in it that gives the key this map."""
    table = key_id if _BARE_KEY.fullmatch(key_id) else _quote(key_id)
    return f"[authorizations.{table}]", f"additional_parameters = {_quote(field_map)}"


def _quote(text: str) -> str:
    """Write a string of TOML: one of JSON, but for one control character that JSON takes as it is."""
    return orjson.dumps(text).decode().replace("\x7f", "\\u007f")


def tell_story(letter: DeadLetter, directory: Directory | None) -> dict[str, Any]:
    """Give everything that is known about one letter, for a page."""
    key = find_key(letter, directory)
    uplinks = [] if letter.envelope is None else letter.envelope.uplinks()
    serials = (read_serial(uplink, key) for uplink in uplinks)
    frame = letter.frame or b""
    return {
        "letter": letter,
        "remedy": find_remedy(letter.reason),
        "key": key_of(letter),
        "network": None if key is None else key.network,
        "field_map": "" if key is None else spell_field_map(key.field_map),
        "serial": next((serial for serial in serials if serial), None),
        "query": {} if letter.envelope is None else letter.envelope.query,
        "item": uplinks[0].item if uplinks else None,
        "frame": frame.decode(errors="replace")[:FRAME_CHARACTERS],
        "frame_bytes": len(frame),
    }
