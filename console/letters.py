"""Which dead letters a page is about, and the story of one. No page and no request here."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias
from urllib.parse import urlencode

import orjson

from common.dead_letter import FRAME_CHARACTERS, DeadLetter
from common.directory.model import Directory
from common.fields.field_map import spell_field_map
from common.letter_selection import LetterQuery, find_key, find_letter_serial
from common.reason import Reason
from common.remedy import find_remedy
from console.refusal import RefusedError

PAGE_LETTERS: Final = 50

_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
"""What TOML takes for a name without quotes."""


FindDirectory: TypeAlias = Callable[[], Awaitable[Directory | None]]
"""Gives the directory as it is today; None where it cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedLetters(LetterQuery):
    """A query as the address of a page and the fields of a form have it: one value of each at most."""

    @property
    def parameters(self) -> dict[str, str]:
        """What is asked for, as the query of an address or the fields of a form."""
        given = {
            "reason": self.reason,
            "key": self.key,
            "network": self.network,
            "serial": self.serial,
            "uplink_id": self.uplink_ids,
        }
        return {name: str(value) for name, values in given.items() for value in values}

    @property
    def query(self) -> str:
        """Give the query of an address."""
        return urlencode(self.parameters)


def read_wanted(fields: Mapping[str, str]) -> WantedLetters:
    """Read what a query or a form asks for. Raises :class:`RefusedError` (400) for a reason or a time that is none."""

    def one(name: str) -> tuple[str, ...]:
        value = fields.get(name, "").strip()
        return (value,) if value else ()

    until = fields.get("until", "")
    try:
        return WantedLetters(
            uplink_ids=frozenset(one("uplink_id")),
            reason=tuple(map(Reason, one("reason"))),
            key=one("key"),
            network=one("network"),
            serial=one("serial"),
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
    frame = letter.frame or b""
    return {
        "letter": letter,
        "remedy": find_remedy(letter.reason),
        "key": letter.key_id,
        "network": None if key is None else key.network,
        "field_map": "" if key is None else spell_field_map(key.field_map),
        "serial": find_letter_serial(letter, key),
        "query": {} if letter.envelope is None else letter.envelope.query,
        "item": uplinks[0].item if uplinks else None,
        "frame": frame.decode(errors="replace")[:FRAME_CHARACTERS],
        "frame_bytes": len(frame),
    }
