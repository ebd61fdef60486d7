"""The console's ASGI application."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final, cast

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from common.internal_errors import InternalErrors
from common.queue.protocol import QueueUnavailableError
from console.cookies import SESSION, delete_cookie, read_cookie
from console.headers import SecurityHeaders
from console.pages import Pages
from console.refusal import RefusedError, SignedOutError
from console.registry_api import RegistryApi
from console.sessions import Sessions
from console.signing_in import SIGN_IN
from console.visit import SEE_OTHER

STATIC: Final = Path(__file__).parent / "static"

BROKEN: Final = "Something went wrong in the console; its log says more"

log = structlog.get_logger()


def create_app(routes: Sequence[BaseRoute], sessions: Sessions, registry: RegistryApi, pages: Pages) -> ASGIApp:
    """Give the application of these routes, and of what every page needs."""
    failures = _Failures(sessions, pages)
    return Starlette(
        routes=[
            *routes,
            Route("/file/{path:path}", _serve_images(registry), methods=["GET"]),
            Mount("/static", _Static(directory=STATIC)),
        ],
        middleware=[Middleware(SecurityHeaders), Middleware(InternalErrors, explain=failures.answer_broken)],
        exception_handlers={
            SignedOutError: failures.answer_signed_out,
            RefusedError: failures.answer_refused,
            QueueUnavailableError: failures.answer_queue_away,
            HTTPException: failures.answer_unrouted,
        },
    )


class _Failures:
    """What is answered where a route has no answer of its own."""

    def __init__(self, sessions: Sessions, pages: Pages) -> None:
        self._sessions = sessions
        self._pages = pages

    async def answer_signed_out(self, request: Request, _: Exception) -> Response:
        """Send whoever is not signed in to the page where that is done."""
        response = RedirectResponse(SIGN_IN, SEE_OTHER)
        if session_id := read_cookie(request, SESSION):  # a form of another site comes without, and ends no session
            self._sessions.end(session_id)
            delete_cookie(request, response, SESSION)
        return response

    async def answer_refused(self, request: Request, error: Exception) -> Response:
        """Say why a route does not do it."""
        refused = cast("RefusedError", error)
        return self._render(request, refused.status, refused.message)

    async def answer_queue_away(self, request: Request, error: Exception) -> Response:
        """Say that the queue is away."""
        return self._render(request, 503, f"The queue does not answer: {error}")

    async def answer_unrouted(self, request: Request, error: Exception) -> Response:
        """Say that no route leads there."""
        unrouted = cast("HTTPException", error)
        return self._render(request, unrouted.status_code, unrouted.detail)

    def answer_broken(self, scope: Scope, error: Exception) -> ASGIApp:
        """Say that something went wrong, and nothing of what."""
        log.error("request.broken", route=getattr(scope.get("route"), "path", None), exc_info=error)

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            await self._render(Request(scope), 500, BROKEN)(scope, receive, send)

        return answer

    def _render(self, request: Request, status: int, message: str) -> Response:
        session = self._sessions.find(read_cookie(request, SESSION))
        return self._pages.render(request, "refused.html", session, status, {"status": status, "message": message})


class _Static(StaticFiles):
    """The console's own files: kept by browsers, and asked for again whether they are still the same."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """See the base class."""
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response


def _serve_images(registry: RegistryApi) -> Callable[[Request], Awaitable[Response]]:
    """Give the images that the registry shows to everybody: a page takes them from nowhere but its own server."""

    async def serve(request: Request) -> Response:
        image = await registry.fetch_image(request.path_params["path"])
        return Response(
            image.content,
            media_type=image.headers["Content-Type"],
            headers={"Content-Security-Policy": "default-src 'none'; sandbox", "Cache-Control": "private, max-age=300"},
        )

    return serve
