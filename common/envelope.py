"""Frame, envelope, uplink: what travels through the queue, and its encoding (docs/wire-format.md)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias, TypeVar

import orjson

FRAME_VERSION = 1
"""Version of the frame that this code writes."""

READABLE_VERSIONS = frozenset({1})
"""Versions that this code reads: the current one and, once there is one, the one before."""

MOST_ATTEMPTS = 1_000_000
"""No ladder is that long; a frame with more was not made by Sluice."""

T = TypeVar("T")

Item: TypeAlias = dict[str, Any] | list[Any] | None
"""One uplink as it came: an object; a list where the key says ``array=one``; ``None`` where the query is the uplink."""

Query: TypeAlias = Mapping[str, str | list[str]]
"""Query parameters without ``authorization``; a list where a name came more than once."""


class FrameUnreadableError(Exception):
    """The body of a message is no frame."""


class FrameUnsupportedError(Exception):
    """The frame has a version that this code does not read."""

    def __init__(self, version: object) -> None:
        readable = ", ".join(str(v) for v in sorted(READABLE_VERSIONS))
        super().__init__(f"frame version {version} is not supported; this worker reads {readable}")
        self.version = version


@dataclass(frozen=True, slots=True)
class Envelope:
    """One HTTP request on its way, or what is still undelivered of it; ``items`` are in the order of their indexes.

    ``attempt`` is the number of the next attempt, from 1. ``first_seen`` is when a worker first took it up.
    """

    group: str
    key_id: str
    arrived_at: datetime
    query: Query
    items: Sequence[tuple[int, Item]]
    trace: Mapping[str, str] | None = None
    attempt: int = 1
    first_seen: datetime | None = None

    def uplinks(self) -> list["Uplink"]:
        """The uplinks of this request, in the order in which they came."""
        return [Uplink(self, index, item) for index, item in self.items]


@dataclass(frozen=True, slots=True)
class Uplink:
    """One message from a device, as it came."""

    envelope: Envelope
    index: int
    item: Item

    @property
    def id(self) -> str:
        """``group/index``: the same through every retry, redelivery and replay, so that a second post is harmless."""
        return f"{self.envelope.group}/{self.index}"


def encode_envelope(envelope: Envelope) -> bytes:
    """Encode one envelope; several are joined by :func:`join_frame`."""
    return orjson.dumps(envelope_to_document(envelope), option=orjson.OPT_UTC_Z)


def join_frame(envelopes: Iterable[bytes]) -> bytes:
    """Make one frame of envelopes that are encoded already: requests that wait together share one message."""
    return b'{"version":%d,"envelopes":[%b]}' % (FRAME_VERSION, b",".join(envelopes))


def encode_frame(envelopes: Iterable[Envelope]) -> bytes:
    """Encode a whole frame."""
    return join_frame(encode_envelope(envelope) for envelope in envelopes)


def decode_frame(body: bytes) -> list[Envelope]:
    """Decode the body of a message.

    Raises :class:`FrameUnsupportedError` for a version from the future or the far past, and
    :class:`FrameUnreadableError` for anything that is no frame.
    """
    try:
        document = orjson.loads(body)
        version = document["version"]
        if version not in READABLE_VERSIONS:
            raise FrameUnsupportedError(version)
        return [envelope_from_document(envelope) for envelope in document["envelopes"]]
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise FrameUnreadableError(f"the message is no frame: {error!r}") from error


def envelope_to_document(envelope: Envelope) -> dict[str, Any]:
    """Give the JSON object of an envelope, as frames and dead letters hold it."""
    return {
        "group": envelope.group,
        "key": envelope.key_id,
        "arrived_at": envelope.arrived_at,
        "trace": envelope.trace,
        "query": envelope.query,
        "items": envelope.items,
        "attempt": envelope.attempt,
        "first_seen": envelope.first_seen,
    }


def envelope_from_document(document: dict[str, Any]) -> Envelope:
    """Read what :func:`envelope_to_document` gave; raises ValueError, TypeError or KeyError for anything else."""
    first_seen, attempt = document["first_seen"], document["attempt"]
    if type(attempt) is not int or not 1 <= attempt <= MOST_ATTEMPTS:
        raise ValueError("attempt is no count")
    return Envelope(
        group=_expect(str, document["group"]),
        key_id=_expect(str, document["key"]),
        arrived_at=parse_time(document["arrived_at"]),
        query=_expect(dict, document["query"]),
        items=[(_expect(int, index), item) for index, item in document["items"]],
        trace=document["trace"],
        attempt=attempt,
        first_seen=None if first_seen is None else parse_time(first_seen),
    )


def find_waiting_since(envelopes: Iterable[Envelope], now: datetime) -> datetime:
    """Say since when the oldest of these waits to be taken up: since it arrived, or ``now`` where none is new.

    One that was tried before has waited in the ladder or among the dead letters, so its arrival says nothing here.
    """
    return min((envelope.arrived_at for envelope in envelopes if envelope.attempt == 1), default=now)


def _expect(kind: type[T], value: Any) -> T:
    if not isinstance(value, kind):
        raise TypeError(f"{kind.__name__} expected")
    return value


def parse_time(text: str) -> datetime:
    """Read a time of this format."""
    return datetime.fromisoformat(text).astimezone(UTC)
