"""From bytes and query to a batch of uplinks: every refusal that is the sender's to mend."""

import hmac
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import orjson

from common.directory.model import AuthorizationKey
from common.envelope import Envelope, Item, Query
from common.fields.field_map import FieldMap
from common.fields.finding import Missing, bears_serial, find_serial, find_set_aside
from common.reason import Reason
from ingest.refusal import RefusedError

GROUP_BYTES = 12
"""A group is 24 hexadecimal digits, as TagoIO's ids are."""

NESTING_LIMIT = 200
"""Levels of arrays and objects in a body. orjson writes at most 254, and an envelope in a dead letter adds four."""

EXPLAINED_ITEMS = 3
"""How many bad items of a batch are explained: they mostly fail alike. The indexes of all are always named."""

QUERY_BYTES = 8_192
QUERY_PARAMETERS = 100
"""The query is the fallback of every item and travels with each of their dead letters, so it may not be large."""

JSON = "application/json"

TRACE_HEADERS = (b"traceparent", b"tracestate")

TRACE_BYTES = 512
"""What W3C asks everybody to carry at least; a larger trace is dropped, the uplinks are not."""


class UplinkBatch(NamedTuple):
    """The uplinks of one HTTP request, accepted or refused as one."""

    key: AuthorizationKey
    group: str
    arrived_at: datetime
    query: Query
    items: Sequence[tuple[int, Item]]
    trace: Mapping[str, str] | None

    def to_envelope(self) -> Envelope:
        """Give what goes into the queue: the key by its id, never the key."""
        return Envelope(
            group=self.group,
            key_id=self.key.id,
            arrived_at=self.arrived_at,
            query=self.query,
            items=self.items,
            trace=self.trace,
        )


def parse_query(query_string: bytes) -> dict[str, str | list[str]]:
    """Read a query string; a parameter that comes more than once is a list. Raises :class:`RefusedError` (413)."""
    if not query_string:
        return {}
    if len(query_string) > QUERY_BYTES or query_string.count(b"&") >= QUERY_PARAMETERS:
        raise RefusedError(
            Reason.BODY_TOO_LARGE,
            f"The query string is longer than {QUERY_BYTES} bytes or {QUERY_PARAMETERS} parameters: use the body",
        )
    parsed = parse_qs(query_string.decode("latin-1"), keep_blank_values=True, errors="replace")
    return {name: values[0] if len(values) == 1 else values for name, values in parsed.items()}


def check_content_type(content_type: str, body: bytes) -> None:
    """Refuse (415) a body that does not say it is JSON. Without a body the type says nothing."""
    if content_type == JSON or not body:
        return
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type != JSON:
        raise RefusedError(
            Reason.CONTENT_TYPE_UNSUPPORTED,
            f"Content-Type must be application/json, not {media_type[:80] or 'missing'!r}",
        )


def parse_items(body: bytes, query: Query, field_map: FieldMap, *, limit: int) -> list[tuple[int, Item]]:
    """Give the items of a request, each with its index.

    An empty body with a serial in the query is one item, ``None``. Raises :class:`RefusedError` (400, 413).
    """
    if not body.strip():
        if isinstance(find_serial(field_map, None, query), Missing):
            raise _body_missing()
        return [(0, None)]
    items = divide_body(body, field_map, limit=limit)
    _check_items(items, query, field_map)
    return items


def divide_body(body: bytes, field_map: FieldMap, *, limit: int) -> list[tuple[int, Any]]:
    """Give the members of a body, whatever they are, each with its index. Raises :class:`RefusedError` (400, 413)."""
    document = parse_document(body)
    if document is None or document == []:
        raise _body_missing()
    if isinstance(document, list) and not field_map.array_is_one:
        if len(document) > limit:
            raise RefusedError(
                Reason.BODY_TOO_LARGE,
                f"The request holds {len(document)} uplinks; at most {limit} are taken: send them in several requests",
            )
        return list(enumerate(document))
    return [(0, document)]


def parse_document(body: bytes) -> Any:
    """Read JSON. Raises :class:`RefusedError` (400 with the position, 413 for what is nested too deeply)."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        reason = Reason.BODY_TOO_LARGE if "depth limit" in error.msg else Reason.BODY_MALFORMED
        raise RefusedError(
            reason,
            f"The body is not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}",
            details={"position": error.pos},
        ) from None
    # No document is nested deeper than it has openings, so that nearly every body is spared the walk.
    if body.count(b"{") + body.count(b"[") > NESTING_LIMIT and _is_nested_deeper(document, NESTING_LIMIT):
        raise RefusedError(
            Reason.BODY_TOO_LARGE,
            f"The body is nested more than {NESTING_LIMIT} levels deep",
        )
    return document


def choose_group(key: AuthorizationKey, idempotency_key: str | None, body: bytes, query: Query) -> str:
    """Give the group of a request: the same one for the same request of the same key under one Idempotency-Key.

    The hash is keyed with the sender's token, so that no sender can guess, or collide with, the group of another.
    """
    if not idempotency_key:
        return secrets.token_hex(GROUP_BYTES)
    parts = orjson.dumps([idempotency_key, query], option=orjson.OPT_SORT_KEYS)
    return hmac.digest(key.token.get_secret_value().encode(), parts + body, "sha256")[:GROUP_BYTES].hex()


def read_trace(headers: Mapping[bytes, bytes]) -> dict[str, str] | None:
    """Give the W3C trace context that the sender passed on, or None."""
    if TRACE_HEADERS[0] not in headers:  # the other one says nothing without it
        return None
    trace = {
        name.decode(): headers[name].decode("latin-1")
        for name in TRACE_HEADERS
        if name in headers and len(headers[name]) <= TRACE_BYTES
    }
    return trace or None


def _is_nested_deeper(document: Any, limit: int) -> bool:
    level = [document]
    for _ in range(limit):
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True


def _check_items(items: Sequence[tuple[int, Item]], query: Query, field_map: FieldMap) -> None:
    """Refuse an item that is no object, and one without a serial that is not to be set aside either."""
    containers = (dict, list) if field_map.array_is_one else dict
    strangers = [(index, item) for index, item in items if not isinstance(item, containers)]
    if strangers:
        explained = [f"no JSON object: it is {_name_type(item)}" for _, item in strangers[:EXPLAINED_ITEMS]]
        raise _refuse_items(Reason.ITEM_NOT_OBJECT, [index for index, _ in strangers], explained, len(items))
    missing = [
        (index, found)
        for index, item in items
        if not bears_serial(field_map, item)  # nearly every item, and a batch has many
        and isinstance(found := find_serial(field_map, item, query), Missing)
        and find_set_aside(field_map, item, query) is None
    ]
    if missing:
        explained = [missing_one.message for _, missing_one in missing[:EXPLAINED_ITEMS]]
        raise _refuse_items(Reason.SERIAL_MISSING, [index for index, _ in missing], explained, len(items))


def _refuse_items(reason: Reason, indexes: Sequence[int], problems: Sequence[str], total: int) -> RefusedError:
    """Name every bad item, and explain the first few."""
    explained = "; ".join(f"item {index}: {problem}" for index, problem in zip(indexes, problems, strict=False))
    if total > 1:
        named = ", ".join(str(index) for index in indexes)
        explained = f"{len(indexes)} of {total} items cannot be accepted (index {named}): {explained}"
    return RefusedError(reason, f"Refused: {explained}", details={"items": list(indexes)})


def _body_missing() -> RefusedError:
    return RefusedError(
        Reason.BODY_MISSING,
        "Missing body information: send one JSON object, an array of objects, or the serial in the query string",
    )


def _name_type(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case _:
            return "an array"
