"""``GET /openapi.json``: the ingest's HTTP interface. Kept by hand, but for limits, statuses and reasons."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from importlib.metadata import version
from itertools import groupby
from typing import Any, TypeAlias

from common.http_protocol import HEAD_BYTES
from common.reason import Reason
from ingest.refusal import STATUS

Document: TypeAlias = dict[str, Any]

MEANING: Mapping[Reason, str] = {
    Reason.BODY_MISSING: "there is no body, and no serial in the query string either",
    Reason.BODY_MALFORMED: "the body is not valid JSON or gzip, or the request is not valid HTTP",
    Reason.ITEM_NOT_OBJECT: "an item of the array is not an object; `items` has the indexes",
    Reason.SERIAL_MISSING: "an item has no serial where the key's field map looks for it; `items` has the indexes",
    Reason.AUTHORIZATION_MISSING: "no authorization key was sent",
    Reason.AUTHORIZATION_UNKNOWN: "there is no such authorization key",
    Reason.AUTHORIZATION_DISABLED: "the authorization key is disabled or has expired",
    Reason.PATH_UNKNOWN: "there is nothing at this path",
    Reason.METHOD_NOT_ALLOWED: "another method is needed here; `Allow` names it",
    Reason.REQUEST_TIMEOUT: "the request did not arrive whole in time",
    Reason.BODY_TOO_LARGE: "too many bytes, uplinks, levels, query parameters or headers",
    Reason.CONTENT_TYPE_UNSUPPORTED: "the body is neither JSON nor gzip of JSON",
    Reason.RATE_EXCEEDED: "the key has sent more requests than it may",
    Reason.INTERNAL_ERROR: "a bug of the ingest; its log says more",
    Reason.QUEUE_UNAVAILABLE: "the queue does not confirm, or too many requests wait for it",
    Reason.QUEUE_FULL: "the queue holds more than it should",
    Reason.DIRECTORY_UNAVAILABLE: "the process has just started and does not know the keys yet",
}
"""What the sender did, or met, when it gets this reason."""

HEAD_TOO_LARGE = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
"""Answered before there is a request to speak of (common/http_protocol.py), with ``body_too_large``."""

WAITING_STATUSES = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
"""Answers that name the time to wait."""


def build_openapi(*, body_limit: int, items_limit: int) -> Document:
    """Give the document; ``body_limit`` is in decoded bytes."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Sluice ingest",
            "version": version("sluice"),
            "description": "Takes the uplinks of gateways and network servers, and answers once they are durable.",
        },
        "paths": {
            "/uplink": {"post": _describe_uplink(body_limit, items_limit)},
            "/": {"get": _describe_get("Whether the process runs", _json(_ref("Running")))},
            "/status": {"get": _describe_get("The same as /", _json(_ref("Running")))},
            "/healthz": {"get": _describe_get("Whether the process is alive", _json(_ref("Alive")))},
            "/readyz": {"get": _describe_readyz()},
            "/metrics": {
                "get": _describe_get("Metrics for Prometheus", {"text/plain": {"schema": {"type": "string"}}})
            },
            "/openapi.json": {"get": _describe_get("This document", _json({"type": "object"}))},
        },
        "components": {"schemas": _describe_schemas(items_limit), "securitySchemes": _describe_security()},
    }


def _describe_uplink(body_limit: int, items_limit: int) -> Document:
    return {
        "operationId": "postUplink",
        "summary": "Send one uplink, or an array of uplinks",
        "description": (
            "Accepted or refused as one. A gateway that got no answer, or a 503, sends the same again with the same"
            " `Idempotency-Key`: the request may have been stored all the same."
        ),
        "security": [{"header": []}, {"query": []}],
        "parameters": _describe_parameters(),
        "requestBody": {
            "description": (
                f"At most {body_limit} bytes, decompressed, and {items_limit} uplinks. May be missing when the query"
                " string holds the serial: then its parameters are the uplink."
            ),
            "required": False,
            "content": _json({"oneOf": [_ref("Uplink"), _ref("Uplinks")]}),
        },
        "responses": {
            "202": {"description": "The uplinks are durable.", "content": _json(_ref("Accepted"))},
            **_describe_refusals(),
        },
    }


def _describe_parameters() -> list[Document]:
    def describe_header(name: str, description: str, **schema: Any) -> Document:
        return {"name": name, "in": "header", "description": description, "schema": {"type": "string", **schema}}

    return [
        describe_header("Idempotency-Key", "The same key with the same body gives the same `group`."),
        describe_header("Content-Encoding", "How the body is compressed.", enum=["gzip", "x-gzip", "identity"]),
        describe_header("traceparent", "W3C trace context, passed on with the uplinks."),
        describe_header("tracestate", "W3C trace context, passed on with the uplinks."),
        {
            "name": "fields",
            "in": "query",
            "description": (
                "Any parameters: where the body lacks a field that the key's field map names, it is looked for here."
            ),
            "style": "form",
            "explode": True,
            "schema": {"type": "object", "additionalProperties": {"type": "string"}},
        },
    ]


def _describe_refusals() -> Document:
    """Describe an answer for each status that ``POST /uplink`` may get, with all of its reasons."""
    by_status = sorted(STATUS, key=lambda reason: STATUS[reason])
    described = {
        str(status): _describe_refusal(status, list(reasons))
        for status, reasons in groupby(by_status, key=lambda reason: STATUS[reason])
        if status != HTTPStatus.NOT_FOUND
    }
    head_too_large = _describe_refusal(HEAD_TOO_LARGE, [Reason.BODY_TOO_LARGE])
    head_too_large["description"] = f"`body_too_large`: the headers are larger than {HEAD_BYTES} bytes."
    return {**described, str(HEAD_TOO_LARGE): head_too_large}


def _describe_refusal(status: int, reasons: Sequence[Reason]) -> Document:
    schema = {
        "allOf": [_ref("Refusal"), {"type": "object", "properties": {"reason": {"enum": [str(r) for r in reasons]}}}]
    }
    described: Document = {
        "description": "; ".join(f"`{reason}`: {MEANING[reason]}" for reason in reasons) + ".",
        "content": _json(schema),
    }
    if status in WAITING_STATUSES:
        wait = {"type": "integer", "minimum": 1}
        described["headers"] = {"Retry-After": {"description": "Seconds to wait.", "required": True, "schema": wait}}
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        allow = {"description": "The methods that are.", "required": True, "schema": {"type": "string"}}
        described["headers"] = {"Allow": allow}
    return described


def _describe_get(summary: str, content: Document) -> Document:
    return {
        "summary": summary,
        "responses": {
            "200": {"description": summary, "content": content},
            "405": _describe_refusal(HTTPStatus.METHOD_NOT_ALLOWED, [Reason.METHOD_NOT_ALLOWED]),
        },
    }


def _describe_readyz() -> Document:
    described = _describe_get("Ready: what is away all the same is named", _json(_ref("Readiness")))
    unready = {"description": "Not confirmed yet, or draining", "content": _json(_ref("Readiness"))}
    described["responses"]["503"] = unready
    return described


def _describe_schemas(items_limit: int) -> Document:
    text, yes_or_no = {"type": "string"}, {"type": "boolean"}
    uplink = {
        "type": "object",
        "description": "What the device or its network server says; the key's field map finds the serial.",
        "examples": [{"serial": "AA-BB-01", "payload": "0011AA", "port": 10, "temperature": 21.5}],
    }
    return {
        "Uplink": uplink,
        "Uplinks": {"type": "array", "items": _ref("Uplink"), "minItems": 1, "maxItems": items_limit},
        "Accepted": _describe_object(
            status={"const": True},
            result={"type": "string", "examples": ["2 uplinks accepted"]},
            group={"type": "string", "pattern": "^[0-9a-f]{24}$", "description": "An uplink's id is `group/index`."},
        ),
        "Refusal": _describe_refusal_object(),
        "Running": _describe_object(status={"const": True}, message=text),
        "Alive": _describe_object(status={"const": True}, role=text),
        "Readiness": _describe_object(
            status=yes_or_no, role=text, draining=yes_or_no, degraded={"type": "array", "items": text}
        ),
    }


def _describe_refusal_object() -> Document:
    described = _describe_object(
        status={"const": False},
        message={"type": "string", "description": "What to mend."},
        reason={"enum": sorted(STATUS)},
    )
    described["properties"]["items"] = {
        "type": "array",
        "items": {"type": "integer"},
        "description": "The indexes of the items that cannot be accepted.",
    }
    described["properties"]["position"] = {
        "type": "integer",
        "description": "Where the JSON breaks off, in characters.",
    }
    return described


def _describe_object(**properties: Document) -> Document:
    return {"type": "object", "properties": properties, "required": sorted(properties)}


def _describe_security() -> Document:
    return {
        "header": {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "The authorization key, bare or after `Bearer `. Counts before the one in the query string.",
        },
        "query": {"type": "apiKey", "in": "query", "name": "authorization"},
    }


def _json(schema: Document) -> Document:
    return {"application/json": {"schema": schema}}


def _ref(name: str) -> Document:
    return {"$ref": f"#/components/schemas/{name}"}
