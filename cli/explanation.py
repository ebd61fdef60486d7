"""What would become of a request: each step by the code of the roles themselves, and nothing is sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from pydantic import SecretStr
from starlette.types import Message

from common.directory.model import AuthorizationKey, Directory, Network
from common.directory.source import DirectorySource
from common.envelope import Envelope, Item, Uplink
from common.fields.encoding import looks_like_base64
from common.fields.finding import (
    Found,
    Missing,
    find_payload,
    find_port,
    find_serial,
    find_set_aside,
    find_time,
)
from common.fields.set_aside import Condition
from common.reason import Reason
from ingest.auth import authenticate
from ingest.body import Reading, read_body
from ingest.refusal import RefusedError
from ingest.request import check_content_type, divide_body, parse_items, parse_query
from workers.grouping import Post, group_into_posts
from workers.mapping import MappedUplink, map_uplink
from workers.outcome import DeadLettered, SetAside
from workers.resolver import DeviceToken, ResolvedUplink, Unresolved

GROUP = "0" * 24
"""The group of a request that was never sent."""

BODY_SECONDS = 60.0
"""The body is here already."""

ENCODING_HINT = "the payload is base64 and goes on as it is; a decoder of hexadecimal needs encoding=base64 in the map"

FieldTrace: TypeAlias = Found[Any] | Missing


@dataclass(frozen=True, slots=True)
class SampleRequest:
    """A request as a gateway would send it, and the limits of the ingest that it would meet.

    ``authorization`` is the header, None where there is none. ``body_limit`` is in bytes.
    """

    body: bytes
    authorization: str | None
    query_string: str
    content_type: str
    arrived_at: datetime
    body_limit: int
    items_limit: int


@dataclass(frozen=True, slots=True)
class UplinkExplanation:
    """One uplink: where its fields were found or what was there instead, and what the worker makes of it.

    ``set_aside_by`` is by what it is known as no uplink.
    """

    uplink: Uplink
    fields: Mapping[str, FieldTrace]
    set_aside_by: Condition | None
    outcome: MappedUplink | SetAside | DeadLettered

    @property
    def hint(self) -> str | None:
        """What is probably not meant, though nothing refuses it."""
        payload = self.fields["payload"]
        if isinstance(self.outcome, MappedUplink) and isinstance(payload, Found):
            passed_on = any(r["variable"] == "payload" and r["value"] == payload.value for r in self.outcome.records)
            if passed_on and looks_like_base64(payload.value):
                return ENCODING_HINT
        return None


@dataclass(frozen=True, slots=True)
class Explanation:
    """What would become of a request, as far as it would come.

    ``refusal`` is the answer that the sender would get in place of a 202; the uplinks are explained all the same, as
    far as the body can be read. ``unresolved`` are the uplinks whose device was asked for and not given.
    """

    key: AuthorizationKey | None = None
    network: Network | None = None
    refusal: RefusedError | None = None
    uplinks: Sequence[UplinkExplanation] = ()
    unresolved: Sequence[Unresolved] = ()
    posts: Sequence[Post] = ()
    oversized: Sequence[DeadLettered] = ()

    @property
    def mapped(self) -> list[MappedUplink]:
        """The uplinks whose device would be asked for."""
        outcomes = [] if self.refusal else [each.outcome for each in self.uplinks]
        return [outcome for outcome in outcomes if isinstance(outcome, MappedUplink)]

    @property
    def is_fine(self) -> bool:
        """Whether nothing would be refused, dead or put off."""
        dead = any(isinstance(each.outcome, DeadLettered) for each in self.uplinks)
        return not (self.refusal or dead or self.unresolved or self.oversized)


async def explain_request(request: SampleRequest, source: DirectorySource) -> Explanation:
    """Carry a request as far as the ingest and the mapping would."""
    try:
        query = parse_query(request.query_string.encode())
        key = authenticate(request.authorization, query, source)
    except RefusedError as refusal:
        return Explanation(refusal=refusal)
    network = source.current.network(key.network)
    query.pop("authorization", None)
    try:
        body = await read_body(
            _deliver(request.body), Reading(), coding="", limit=request.body_limit, seconds=BODY_SECONDS
        )
        check_content_type(request.content_type, body)
        items = parse_items(body, query, key.field_map, limit=request.items_limit)
    except RefusedError as refusal:
        envelope = Envelope(GROUP, key.id, request.arrived_at, query, _divide_refused(request, key, refusal))
        return Explanation(key, network, refusal, _explain_uplinks(envelope, key, network))
    envelope = Envelope(GROUP, key.id, request.arrived_at, query, items)
    return Explanation(key, network, None, _explain_uplinks(envelope, key, network))


def explain_envelope(envelope: Envelope, key: AuthorizationKey, directory: Directory) -> Explanation:
    """Carry what a dead letter holds as far as the mapping would today."""
    network = directory.network(key.network)
    return Explanation(key, network, None, _explain_uplinks(envelope, key, network))


def group_unasked(mapped: Sequence[MappedUplink]) -> tuple[list[Post], list[DeadLettered]]:
    """Give the posts that would be made, were each serial the one of a device."""
    return group_into_posts([ResolvedUplink(each, DeviceToken(SecretStr(each.serial))) for each in mapped])


def _deliver(body: bytes) -> Any:
    async def receive() -> Message:
        return {"type": "http.request", "body": body}

    return receive


def _divide_refused(request: SampleRequest, key: AuthorizationKey, refusal: RefusedError) -> list[tuple[int, Item]]:
    """Give the items of a request that was refused because of some of them, as far as they could be uplinks."""
    if refusal.reason not in {Reason.SERIAL_MISSING, Reason.ITEM_NOT_OBJECT}:
        return []
    items = divide_body(request.body, key.field_map, limit=request.items_limit)
    return [(index, item) for index, item in items if isinstance(item, dict | list)]


def _explain_uplinks(envelope: Envelope, key: AuthorizationKey, network: Network | None) -> list[UplinkExplanation]:
    if network is None:  # a directory is not read that way
        return []
    return [_explain_uplink(uplink, key, network) for uplink in envelope.uplinks()]


def _explain_uplink(uplink: Uplink, key: AuthorizationKey, network: Network) -> UplinkExplanation:
    field_map, item, query = key.field_map, uplink.item, uplink.envelope.query
    fields: dict[str, FieldTrace] = {
        "serial": find_serial(field_map, item, query),
        "payload": find_payload(field_map, item, query),
        "port": find_port(field_map, item, query),
        "time": find_time(field_map, item, query, uplink.envelope.arrived_at),
    }
    set_aside_by = find_set_aside(field_map, item, query)
    return UplinkExplanation(uplink, fields, set_aside_by, map_uplink(uplink, key, network))
