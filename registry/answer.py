"""Answers in TagoIO's envelope: ``status`` and ``result``, or ``status`` and ``message``. An error is never a 200."""

from typing import Any, cast

import orjson
import structlog
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from registry.refusal import RefusedError

log = structlog.get_logger()


def answer(result: Any, status: int = 200) -> Response:
    """Give the answer of a request that was done."""
    return Response(orjson.dumps({"status": True, "result": result}), status, media_type="application/json")


def refuse(refused: RefusedError) -> Response:
    """Give the answer of a request that was not."""
    document = {"status": False, "message": refused.message}
    return Response(orjson.dumps(document), refused.status, refused.headers, media_type="application/json")


async def answer_refused(_: Request, error: Exception) -> Response:
    """Answer a refusal that a route raised."""
    return refuse(cast("RefusedError", error))


async def answer_unrouted(request: Request, error: Exception) -> Response:
    """Answer where no route leads. The path is not repeated: resolving has an authorization in it."""
    unrouted = cast("HTTPException", error)
    allowed = (unrouted.headers or {}).get("Allow")
    if allowed is None:
        return refuse(RefusedError(unrouted.status_code, "There is nothing at this path"))
    message = f"{request.method} is not allowed here: use {allowed}"
    return refuse(RefusedError(unrouted.status_code, message, unrouted.headers))


class InternalErrors:
    """Middleware: whatever a route did not expect is logged, and answered 500 without a word about its cause."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and catch what comes back."""
        started = False

        async def note_start(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, note_start)
        except ClientDisconnect:
            return
        except Exception:
            log.exception("request.broken", route=getattr(scope.get("route"), "path", None))
            if started:
                raise
            internal = RefusedError(500, "Internal error: the request was not done; the registry's log says more")
            await refuse(internal)(scope, receive, send)
