"""HTTP in, answer out; nothing else. ``POST /uplink`` is plain ASGI, because routing costs 40 % on the hot path."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Any, NamedTuple

import orjson
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from common import metrics
from common.direct_http import WholeAnswer, WholeRequest
from common.directory.model import AuthorizationKey
from common.directory.source import DirectorySource
from common.events.telling import UNHEARD, UplinkEvents
from common.health import Health, create_health_routes
from common.logs import LogBudget
from common.reason import Reason
from ingest.acceptance import Acceptance
from ingest.auth import authenticate
from ingest.body import Reading, SenderGoneError, read_body, read_whole
from ingest.events import tell_refused
from ingest.openapi import Document
from ingest.rate import RateLimit
from ingest.refusal import RefusedError
from ingest.request import UplinkBatch, check_content_type, choose_group, parse_items, parse_query, read_trace

INTERNAL_ERROR_MESSAGE = "Internal error: the request was not accepted; the log of the ingest says more"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may be: decoded bytes, uplinks, seconds to arrive."""

    body: int
    items: int
    seconds: float


class _Admitted(NamedTuple):
    """A request that is to be read: whose it is, and what its head says."""

    key: AuthorizationKey
    query: dict[str, str | list[str]]
    headers: Mapping[bytes, bytes]

    @property
    def content_encoding(self) -> str:
        return _text(self.headers, b"content-encoding") or ""


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
        self._reading = Reading()
        self._log_budget = LogBudget()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens."""
        try:
            admitted = self._admit(scope)
            body = await read_body(
                receive,
                self._reading,
                coding=admitted.content_encoding,
                limit=self._limits.body,
                seconds=self._limits.seconds,
            )
            answer, confirmed = self._accept(admitted, body)
            await confirmed
        except SenderGoneError:
            return
        except Exception as error:  # noqa: BLE001 - the sender is to get an answer, and the log the error
            answer = self._refuse(error, scope)
        await Response(answer.body, answer.status, answer.headers, media_type="application/json")(scope, receive, send)

    def take(self, request: WholeRequest) -> None:
        """Answer one request that is there as a whole, as :meth:`__call__` does those that are yet to come."""
        try:
            admitted = self._admit(request.head)
            body = read_whole(request.whole_body, coding=admitted.content_encoding, limit=self._limits.body)
            answer, confirmed = self._accept(admitted, body)
        except Exception as error:  # noqa: BLE001 - the sender is to get an answer, and the log the error
            request.answer(self._refuse(error, request.head))
        else:
            confirmed.add_done_callback(partial(self._answer_confirmed, request, answer))

    def _answer_confirmed(self, request: WholeRequest, answer: WholeAnswer, confirmed: asyncio.Future[None]) -> None:
        error = confirmed.exception()
        request.answer(answer if error is None else self._refuse(error, request.head))

    def _admit(self, scope: Scope) -> _Admitted:
        """Find out who sends, and whether they may: nothing of this takes the body."""
        if scope["method"] != "POST":
            raise RefusedError(
                Reason.METHOD_NOT_ALLOWED, f"{scope['method']} is not allowed here: use POST", headers={"Allow": "POST"}
            )
        headers: dict[bytes, bytes] = dict(scope["headers"])
        query = parse_query(scope["query_string"])
        key = authenticate(_text(headers, b"authorization"), query, self._directory)
        self._acceptance.refuse_if_overloaded()
        self._rate.take(key)
        query.pop("authorization", None)
        return _Admitted(key, query, headers)

    def _accept(self, admitted: _Admitted, body: bytes) -> tuple[WholeAnswer, asyncio.Future[None]]:
        """Give the answer, and when it is true. What was parsed is not kept until then: it may take twenty times its
        bytes, and those alone are counted.
        """
        batch = self._read(admitted, body)
        return _encode_acceptance(batch), self._acceptance.accept(batch)

    def _read(self, admitted: _Admitted, body: bytes) -> UplinkBatch:
        key, query, headers = admitted
        check_content_type(_text(headers, b"content-type") or "", body)
        return UplinkBatch(
            key=key,
            group=choose_group(key, _text(headers, b"idempotency-key"), body, query),
            arrived_at=datetime.now(UTC),
            query=query,
            items=parse_items(body, query, key.field_map, limit=self._limits.items),
            trace=read_trace(headers),
        )

    def _refuse(self, error: BaseException, scope: Scope) -> WholeAnswer:
        if not isinstance(error, RefusedError):
            log.error("request.broken", exc_info=error)
            metrics.REQUESTS_REFUSED.labels(Reason.INTERNAL_ERROR).inc()
            return _encode_refusal(RefusedError(Reason.INTERNAL_ERROR, INTERNAL_ERROR_MESSAGE))
        self._note_refusal(error)
        if self._events.watched:
            tell_refused(self._events, error, self._find_key(scope))
        return _encode_refusal(error)

    def _find_key(self, scope: Scope) -> AuthorizationKey | None:
        """Say whose request was refused, as far as that is known."""
        try:
            query = parse_query(scope["query_string"])
            return authenticate(_text(dict(scope["headers"]), b"authorization"), query, self._directory)
        except RefusedError:
            return None

    def _note_refusal(self, refused: RefusedError) -> None:
        metrics.REQUESTS_REFUSED.labels(refused.reason).inc()
        if (suppressed := self._log_budget.admit(refused.reason)) is not None:
            log.info(
                "request.refused",
                reason=refused.reason,
                status=refused.status,
                message=refused.message,
                suppressed=suppressed,
            )


class IngestApp:
    """The ingest's application: ``/uplink`` itself, and Starlette for the rest."""

    direct_path = b"/uplink"

    def __init__(self, uplink: UplinkEndpoint, others: ASGIApp) -> None:
        self._uplink = uplink
        self._others = others
        self.take = uplink.take

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request by ASGI."""
        if scope["type"] == "http" and scope["path"] == "/uplink":
            await self._uplink(scope, receive, send)
        else:
            await self._others(scope, receive, send)


def create_app(uplink: UplinkEndpoint, health: Health, openapi: Document) -> IngestApp:
    """Put the ingest's application together."""
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
    return IngestApp(uplink, others)


async def _running(_: Request) -> Response:
    return JSONResponse({"status": True, "message": "Running"})


async def _answer_http_exception(request: Request, exception: Exception) -> Response:
    """Give Starlette's own 404 and 405 the shape of every other refusal."""
    headers = getattr(exception, "headers", None) or {}
    if getattr(exception, "status_code", None) == HTTPStatus.METHOD_NOT_ALLOWED:
        message = f"{request.method} is not allowed here: use {headers.get('Allow', 'GET')}"
        refused = RefusedError(Reason.METHOD_NOT_ALLOWED, message, headers=headers)
    else:
        refused = RefusedError(
            Reason.PATH_UNKNOWN, f"There is nothing at {request.url.path}; uplinks go to POST /uplink"
        )
    answer = _encode_refusal(refused)
    return Response(answer.body, answer.status, answer.headers, media_type="application/json")


def _encode_acceptance(batch: UplinkBatch) -> WholeAnswer:
    count = len(batch.items)
    result = f"{count} uplink{'' if count == 1 else 's'} accepted"
    return WholeAnswer(202, orjson.dumps({"status": True, "result": result, "group": batch.group}))


def _encode_refusal(refused: RefusedError) -> WholeAnswer:
    document: dict[str, Any] = {
        "status": False,
        "message": refused.message,
        "reason": refused.reason,
        **refused.details,
    }
    return WholeAnswer(refused.status, orjson.dumps(document), refused.headers)


def _text(headers: Mapping[bytes, bytes], name: bytes) -> str | None:
    value = headers.get(name)
    return None if value is None else value.decode("latin-1")
