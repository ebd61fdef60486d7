"""Answers in TagoIO's envelope: ``status`` and ``result``, or ``status`` and ``message``. An error is never a 200."""

from typing import Any, cast

import orjson
import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from registry.database import is_passing
from registry.refusal import RefusedError, unavailable

BROKEN = "Internal error: the request was not done; the registry's log says more"
AWAY = "The registry's database does not answer at the moment"

log = structlog.get_logger()


def answer(result: Any, status: int = 200) -> Response:
    """Give the answer of a request that was done."""
    return Response(orjson.dumps({"status": True, "result": result}), status, media_type="application/json")


def refuse(refused: RefusedError) -> Response:
    """Give the answer of a request that was not."""
    document = write_refusal(refused)
    return Response(orjson.dumps(document), refused.status, refused.headers, media_type="application/json")


def write_refusal(refused: RefusedError) -> dict[str, Any]:
    """Give the document that says why."""
    reason = {} if refused.reason is None else {"reason": refused.reason}
    return {"status": False, "message": refused.message, **reason}


def explain(error: Exception, route: str | None) -> RefusedError:
    """Log what nobody expected; give what is answered: 503 where the database is away, and 500 for anything else."""
    if is_passing(error):
        log.warning("request.put_off", route=route, error=type(error).__name__)  # the database itself says the rest
        return unavailable(AWAY)
    log.error("request.broken", route=route, exc_info=error)
    return RefusedError(500, BROKEN)


def answer_broken(scope: Scope, error: Exception) -> Response:
    """Answer what a route did not expect."""
    return refuse(explain(error, getattr(scope.get("route"), "path", None)))


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
