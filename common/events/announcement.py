"""Who watches, and what: a viewer says so again and again, and is forgotten once it no longer does."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from common.events.event import Event

ANNOUNCEMENT_VERSION = 1

MOST_VALUES = 1_000
"""Of one filter: each event is compared with them."""

VIEWER = re.compile(r"[0-9A-Za-z-]{8,64}")

_VISUAL = str.maketrans("", "", "-:. ")


class AnnouncementUnreadableError(Exception):
    """What came does not say who watches, and what."""


@dataclass(frozen=True, slots=True)
class EventFilter:
    """What an event has to fit: every field that is given, each with one of its values.

    An event that does not know a field fits no filter for it. Serials are compared without case and without what is for
    the eye (``-``, ``:``, ``.``), so that they fit as the device sends them and as the network writes them.
    """

    serials: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()
    networks: frozenset[str] = frozenset()
    reasons: frozenset[str] = frozenset()
    _folded: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_folded", frozenset(map(_fold_serial, self.serials)))

    def fits(self, event: Event) -> bool:
        """Whether somebody who goes by this filter wants to see the event."""
        return (
            (not self.keys or event.key in self.keys)
            and (not self.networks or event.network in self.networks)
            and (not self.reasons or event.reason in self.reasons)
            and (not self._folded or (event.serial is not None and _fold_serial(event.serial) in self._folded))
        )


@dataclass(frozen=True, slots=True)
class Announcement:
    """A viewer, by a name that nobody else has, and what it wants to see; ``details``: also what uplinks hold.

    ``uplinks_per_second`` is how many it can use, of those that fit; of more it is told a sample. None: all of them.
    """

    viewer: str
    event_filter: EventFilter = field(default_factory=EventFilter)
    details: bool = False
    uplinks_per_second: int | None = None


def encode_announcement(announcement: Announcement) -> bytes:
    """Encode an announcement."""
    return orjson.dumps({"version": ANNOUNCEMENT_VERSION, **announcement_to_document(announcement)})


def announcement_to_document(announcement: Announcement) -> dict[str, Any]:
    """Give the fields of an announcement, which are also the parameters of ``GET /events``."""
    event_filter = announcement.event_filter
    return {
        "viewer": announcement.viewer,
        "serials": sorted(event_filter.serials),
        "keys": sorted(event_filter.keys),
        "networks": sorted(event_filter.networks),
        "reasons": sorted(event_filter.reasons),
        "details": announcement.details,
        "uplinks_per_second": announcement.uplinks_per_second,
    }


def decode_announcement(body: bytes) -> Announcement:
    """Read what :func:`encode_announcement` gave; raises :class:`AnnouncementUnreadableError`."""
    try:
        document = orjson.loads(body)
        if document["version"] != ANNOUNCEMENT_VERSION:
            raise AnnouncementUnreadableError(f"an announcement of version {document['version']}")
        return announcement_from_document(document)
    except (ValueError, TypeError, KeyError) as error:
        raise AnnouncementUnreadableError(f"this is no announcement: {error!r}") from error


def announcement_from_document(document: Mapping[str, Any]) -> Announcement:
    """Read the fields of an announcement; raises :class:`AnnouncementUnreadableError`."""
    viewer = document.get("viewer")
    if not isinstance(viewer, str) or not VIEWER.fullmatch(viewer):
        raise AnnouncementUnreadableError("viewer has to be a name of 8 to 64 letters, digits and hyphens")
    event_filter = EventFilter(
        *(_read_values(document.get(name, ()), name) for name in ("serials", "keys", "networks", "reasons"))
    )
    return Announcement(
        viewer, event_filter, document.get("details") is True, _read_rate(document.get("uplinks_per_second"))
    )


def _read_values(values: Any, name: str) -> frozenset[str]:
    if not isinstance(values, Iterable) or isinstance(values, str | bytes):
        raise AnnouncementUnreadableError(f"{name} has to be a list")
    found = list(values)
    if len(found) > MOST_VALUES or not all(isinstance(value, str) for value in found):
        raise AnnouncementUnreadableError(f"{name} has to be a list of at most {MOST_VALUES:,} strings")
    return frozenset(found)


def _read_rate(rate: Any) -> int | None:
    if rate is not None and (type(rate) is not int or rate < 1):
        raise AnnouncementUnreadableError("uplinks_per_second has to be a whole number from 1 on")
    return rate


def _fold_serial(serial: str) -> str:
    return serial.translate(_VISUAL).lower()
