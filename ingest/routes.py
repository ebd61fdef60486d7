"""HTTP in, answer out; nothing else. ``POST /uplink`` is plain ASGI, because routing costs 40 % on the hot path."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from common import metrics
from common.directory.model import AuthorizationKey
from common.directory.source import DirectorySource
from common.events.telling import UNHEARD, UplinkEvents
from common.health import Health, create_health_routes
from common.logs import LogBudget
from common.reason import Reason
from ingest.acceptance import Acceptance
from ingest.auth import authenticate
from ingest.body import SenderGoneError, read_body
from ingest.events import tell_refused
from ingest.openapi import Document
from ingest.rate import RateLimit
from ingest.refusal import RefusedError
from ingest.request import UplinkBatch, check_content_type, choose_group, parse_items, parse_query, read_trace

INTERNAL_ERROR_MESSAGE = "Internal error: the request was not accepted; the log of the ingest says more"

STATUS_METHOD_NOT_ALLOWED = 405

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may be: decoded bytes, uplinks, seconds to arrive."""

    body: int
    items: int
    seconds: float


class UplinkEndpoint:
    """``POST /uplink``: authenticate, read, validate, enqueue, answer."""

    def __init__(
        self, directory: DirectorySource, acceptance: Acceptance, limits: Limits, events: UplinkEvents = UNHEARD
    ) -> None:
        self._directory = directory
        self._acceptance = acceptance
        self._limits = limits
        self._events = events
        self._rate = RateLimit()
        self._log_budget = LogBudget()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens."""
        try:
            batch = await self._read(scope, receive)
            await self._acceptance.accept(batch)
        except RefusedError as refused:
            self._note_refusal(refused)
            if self._events.watched:
                tell_refused(self._events, refused, self._find_sender(scope))
            await _answer_refusal(send, refused)
        except SenderGoneError:
            return
        except Exception:
            log.exception("request.broken")
            metrics.REQUESTS_REFUSED.labels(Reason.INTERNAL_ERROR).inc()
            await _answer_refusal(send, RefusedError(Reason.INTERNAL_ERROR, INTERNAL_ERROR_MESSAGE))
        else:
            await _answer_accepted(send, batch)

    async def _read(self, scope: Scope, receive: Receive) -> UplinkBatch:
        if scope["method"] != "POST":
            raise RefusedError(
                Reason.METHOD_NOT_ALLOWED, f"{scope['method']} is not allowed here: use POST", headers={"Allow": "POST"}
            )
        headers: dict[bytes, bytes] = dict(scope["headers"])
        query = parse_query(scope["query_string"])
        key = authenticate(_text(headers, b"authorization"), query, self._directory)
        self._rate.take(key)
        self._acceptance.refuse_if_overloaded()
        query.pop("authorization", None)
        body = await read_body(
            receive,
            coding=_text(headers, b"content-encoding") or "",
            limit=self._limits.body,
            seconds=self._limits.seconds,
        )
        check_content_type(_text(headers, b"content-type") or "", body)
        return UplinkBatch(
            key=key,
            group=choose_group(key, _text(headers, b"idempotency-key"), body, query),
            arrived_at=datetime.now(UTC),
            query=query,
            items=parse_items(body, query, key.field_map, limit=self._limits.items),
            trace=read_trace(headers),
        )

    def _find_sender(self, scope: Scope) -> AuthorizationKey | None:
        """Say whose request was refused, as far as that is known."""
        try:
            query = parse_query(scope["query_string"])
            return authenticate(_text(dict(scope["headers"]), b"authorization"), query, self._directory)
        except RefusedError:
            return None

    def _note_refusal(self, refused: RefusedError) -> None:
        metrics.REQUESTS_REFUSED.labels(refused.reason).inc()
        if self._log_budget.allows(refused.reason):
            log.info(
                "request.refused",
                reason=refused.reason,
                status=refused.status,
                message=refused.message,
                suppressed=self._log_budget.take_suppressed(refused.reason),
            )


def create_app(uplink: UplinkEndpoint, health: Health, openapi: Document) -> ASGIApp:
    """Give the ingest's ASGI application: ``/uplink`` itself, and Starlette for the rest."""
    described = orjson.dumps(openapi)

    async def openapi_json(_: Request) -> Response:
        return Response(described, media_type="application/json")

    others = Starlette(
        routes=[
            Route("/", _running),
            Route("/status", _running),
            Route("/openapi.json", openapi_json),
            *create_health_routes(health),
        ],
        exception_handlers={HTTPException: _answer_http_exception},
    )
    others.router.redirect_slashes = False  # it would send the sender to whatever its Host header says

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/uplink":
            await uplink(scope, receive, send)
        else:
            await others(scope, receive, send)

    return app


async def _running(_: Request) -> Response:
    return JSONResponse({"status": True, "message": "Running"})


async def _answer_http_exception(request: Request, exception: Exception) -> Response:
    """Give Starlette's own 404 and 405 the shape of every other refusal."""
    headers = getattr(exception, "headers", None) or {}
    if getattr(exception, "status_code", 404) == STATUS_METHOD_NOT_ALLOWED:
        message = f"{request.method} is not allowed here: use {headers.get('Allow', 'GET')}"
        refused = RefusedError(Reason.METHOD_NOT_ALLOWED, message, headers=headers)
    else:
        refused = RefusedError(
            Reason.PATH_UNKNOWN, f"There is nothing at {request.url.path}; uplinks go to POST /uplink"
        )
    return Response(_refusal_body(refused), refused.status, refused.headers, media_type="application/json")


async def _answer_accepted(send: Send, batch: UplinkBatch) -> None:
    count = len(batch.items)
    result = f"{count} uplink{'' if count == 1 else 's'} accepted"
    await _answer(send, 202, orjson.dumps({"status": True, "result": result, "group": batch.group}))


async def _answer_refusal(send: Send, refused: RefusedError) -> None:
    await _answer(send, refused.status, _refusal_body(refused), refused.headers)


def _refusal_body(refused: RefusedError) -> bytes:
    document: dict[str, Any] = {
        "status": False,
        "message": refused.message,
        "reason": refused.reason,
        **refused.details,
    }
    return orjson.dumps(document)


async def _answer(send: Send, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
    lines = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    if headers:
        lines += [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body})


def _text(headers: Mapping[bytes, bytes], name: bytes) -> str | None:
    value = headers.get(name)
    return None if value is None else value.decode("latin-1")
