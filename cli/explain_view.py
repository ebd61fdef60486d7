"""How an explanation is shown: as text for people, or as a JSON document."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import orjson
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table

from cli.explain_rules import TRIED
from cli.explanation import Explanation, FieldTrace, UplinkExplanation
from cli.terminal import clean_text, format_time
from common.fields.field_map import FieldMap, spell_field_map
from common.fields.finding import Found
from common.serial import SerialRule
from workers.downstream import build_resolve_path
from workers.grouping import Post
from workers.mapping import MappedUplink
from workers.outcome import DeadLettered, PutBack, RetryLater, SetAside
from workers.resolver import Unresolved

SHOWN_UPLINKS = 20
"""How many uplinks of a request are shown to people; JSON has them all."""

VALUE_CHARACTERS = 120

MASK = "***"

Document: TypeAlias = dict[str, Any]
Fact: TypeAlias = tuple[str, str]


def show_explanation(explanation: Explanation, url: str) -> RenderableType:
    """Show each step; ``url`` is the downstream's."""
    parts: list[RenderableType] = [_tabulate_facts(_list_request_facts(explanation))]
    for uplink in explanation.uplinks[:SHOWN_UPLINKS]:
        parts += ["", clean_text(f"uplink {uplink.uplink.index}"), _indent(_show_uplink(explanation, uplink, url))]
    if len(explanation.uplinks) > SHOWN_UPLINKS:
        more = len(explanation.uplinks) - SHOWN_UPLINKS
        parts += ["", clean_text(f"… and {more} more uplinks; --json has them all")]
    if explanation.posts:
        parts += ["", clean_text("posts"), _indent(_tabulate_posts(explanation.posts, url))]
    parts += [clean_text(line) for line in _list_endings(explanation)]
    return Group(*parts)


def explanation_to_document(explanation: Explanation, url: str) -> Document:
    """Give everything as JSON; ``url`` is the downstream's."""
    key, network, refusal = explanation.key, explanation.network, explanation.refusal
    return {
        "fine": explanation.is_fine,
        "key": key and key.id,
        "map": key and spell_field_map(key.field_map),
        "network": network and network.id,
        "refusal": refusal and {"status": refusal.status, "reason": refusal.reason, "message": refusal.message},
        "uplinks": [_uplink_to_document(uplink, url) for uplink in explanation.uplinks],
        "unresolved": [
            {"index": each.uplink.index, "reason": each.reason, "detail": each.detail}
            for each in explanation.unresolved
        ],
        "oversized": [{"index": each.uplink.index, "detail": each.detail} for each in explanation.oversized],
        "posts": [_post_to_document(post, url) for post in explanation.posts],
    }


def _list_request_facts(explanation: Explanation) -> Iterator[Fact]:
    key, network, refusal = explanation.key, explanation.network, explanation.refusal
    if key is not None:
        if key.id != TRIED:
            yield "key", f"{key.id}, network {key.network}, profile {key.profile}"
        yield "map", _describe_map(key.field_map)
    if network is not None:
        yield "serials", _describe_rule(network.serial)
    if refusal is not None:
        yield "answer", f"{refusal.status} {refusal.reason}: {refusal.message}"
    else:
        count = len(explanation.uplinks)
        yield "answer", f"202: {count} uplink{'' if count == 1 else 's'} accepted"


def _show_uplink(explanation: Explanation, uplink: UplinkExplanation, url: str) -> RenderableType:
    facts = [(name, _describe_trace(name, trace)) for name, trace in uplink.fields.items()]
    if explanation.refusal is not None:  # nothing of the request goes any further
        return _tabulate_facts(facts)
    table = _tabulate_facts([*facts, *_list_outcome(uplink, url)])
    if isinstance(uplink.outcome, MappedUplink):
        return Group(table, _tabulate_records(uplink.outcome))
    return table


def _list_outcome(uplink: UplinkExplanation, url: str) -> Iterator[Fact]:
    match uplink.outcome:
        case MappedUplink() as mapped:
            if uplink.hint is not None:
                yield "hint", uplink.hint
            yield "device of", mapped.serial
            yield "asked by", f"GET {_mask_resolve_url(mapped, url)} with Authorization: {MASK}"
        case SetAside() as outcome:
            yield "set aside", f"{outcome.reason}, by {uplink.set_aside_by}: nothing to deliver, nothing wrong"
        case DeadLettered() as outcome:
            yield "dead letter", f"{outcome.reason}: {outcome.detail}"


def _list_endings(explanation: Explanation) -> Iterator[str]:
    for each in explanation.unresolved:
        yield f"uplink {each.uplink.index} {_describe_unresolved(each)}: {each.reason}: {each.detail}"
    for oversized in explanation.oversized:
        yield f"uplink {oversized.uplink.index} would be a dead letter: {oversized.reason}: {oversized.detail}"


def _describe_unresolved(unresolved: Unresolved) -> str:
    match unresolved:
        case DeadLettered():
            return "would be a dead letter"
        case RetryLater():
            return "would be tried again later"
        case PutBack():
            return "would wait until the downstream is back"


def _describe_trace(name: str, trace: FieldTrace) -> str:
    if isinstance(trace, Found):
        value = format_time(trace.value) if name == "time" else repr(trace.value)
        place = "the query parameter" if trace.in_query else "the body at"
        return f"{_cut(value)}, from {place} {'.'.join(trace.path)!r}"
    if name == "time":
        return f"the moment of arrival: {trace.message}" if trace.path else "the moment of arrival"
    return trace.message


def _describe_map(field_map: FieldMap) -> str:
    text = spell_field_map(field_map) or "none: common names are tried"
    return f"{text} (preset {field_map.preset})" if field_map.preset else text


def _describe_rule(rule: SerialRule) -> str:
    form = f"of the form {rule.format}" if rule.format else "of any form"
    return f"{form}, in {rule.force_case} case" if rule.force_case else form


def _mask_resolve_url(mapped: MappedUplink, url: str) -> str:
    return f"{url}{build_resolve_path(mapped.serial, '')}{MASK}"


def _tabulate_facts(facts: Iterable[Fact]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts:
        table.add_row(name, clean_text(value))
    return table


def _tabulate_records(mapped: MappedUplink) -> Table:
    table = Table("variable", "value", "location", "time", box=None)
    for record in mapped.records:
        place = record.get("location")
        table.add_row(
            clean_text(record["variable"]),
            clean_text(_cut(repr(record["value"]))),
            "" if place is None else f"{place['lat']}, {place['lng']}",
            record["time"],
        )
    return table


def _tabulate_posts(posts: Sequence[Post], url: str) -> Table:
    table = Table("request", "device of", "uplinks", "records", "bytes", box=None)
    for post in posts:
        table.add_row(
            f"POST {url}/data",
            clean_text(post.uplinks[0].mapped.serial),
            ", ".join(str(each.mapped.uplink.index) for each in post.uplinks),
            str(sum(len(each.mapped.records) for each in post.uplinks)),
            f"{len(post.body):,}",
        )
    return table


def _indent(renderable: RenderableType) -> Padding:
    return Padding(renderable, (0, 0, 0, 2))


def _cut(text: str) -> str:
    return text if len(text) <= VALUE_CHARACTERS else f"{text[: VALUE_CHARACTERS - 1]}…"


def _uplink_to_document(uplink: UplinkExplanation, url: str) -> Document:
    document: Document = {
        "index": uplink.uplink.index,
        "fields": {name: _trace_to_document(trace) for name, trace in uplink.fields.items()},
    }
    match uplink.outcome:
        case MappedUplink() as mapped:
            return document | {
                "outcome": "mapped",
                "hint": uplink.hint,
                "serial": mapped.serial,
                "resolve": {
                    "method": "GET",
                    "url": _mask_resolve_url(mapped, url),
                    "headers": {"Authorization": MASK},
                },
                "records": list(mapped.records),
            }
        case SetAside() as outcome:
            return document | {"outcome": "set_aside", "reason": outcome.reason, "by": str(uplink.set_aside_by)}
        case DeadLettered() as outcome:
            return document | {"outcome": "dead_letter", "reason": outcome.reason, "detail": outcome.detail}


def _trace_to_document(trace: FieldTrace) -> Document:
    if isinstance(trace, Found):
        place = "query" if trace.in_query else "body"
        return {"value": trace.value, "in": place, "path": ".".join(trace.path)}
    return {"missing": trace.message, "closest": trace.closest}


def _post_to_document(post: Post, url: str) -> Document:
    return {
        "method": "POST",
        "url": f"{url}/data",
        "headers": {"Device-Token": MASK, "Sluice-Uplinks": ",".join(each.mapped.uplink.id for each in post.uplinks)},
        "serial": post.uplinks[0].mapped.serial,
        "uplinks": [each.mapped.uplink.index for each in post.uplinks],
        "bytes": len(post.body),
        "body": orjson.loads(post.body),
    }
