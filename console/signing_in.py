"""Signing in with a profile's token, and out again."""

import hashlib
import hmac
import secrets
from typing import Final

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from console.cookies import SESSION, VISITOR, delete_cookie, read_cookie, set_cookie
from console.forms import FOREIGN, FORM_TOKEN, read_foreign_form, read_form
from console.pages import Pages
from console.refusal import RefusedError, SignedOutError, forbidden
from console.registry_api import RegistryApi
from console.sessions import Sessions
from console.visit import SEE_OTHER, read_profile

SIGN_IN: Final = "/sign-in"

UNKNOWN = "Nobody has this token"
MISSING = "A token is needed"
NO_TOKEN = "This is no token: it has characters that none has"  # noqa: S105 - says that there is none


class SigningIn:
    """The routes by which a session begins and ends."""

    def __init__(self, sessions: Sessions, registry: RegistryApi, pages: Pages) -> None:
        self._sessions = sessions
        self._registry = registry
        self._pages = pages
        self._secret = secrets.token_bytes(32)

    @property
    def routes(self) -> list[Route]:
        """What there is to be done."""
        return [
            Route(SIGN_IN, self._show, methods=["GET"]),
            Route(SIGN_IN, self._sign_in, methods=["POST"]),
            Route("/sign-out", self._sign_out, methods=["POST"]),
        ]

    async def _show(self, request: Request) -> Response:
        return self._ask(request)

    async def _sign_in(self, request: Request) -> Response:
        form = await read_foreign_form(request)
        if not self._was_shown_to(read_cookie(request, VISITOR), form.text(FORM_TOKEN)):
            raise forbidden(FOREIGN)
        text = form.text("token")
        if not text:
            return self._ask(request, MISSING, 400)
        if not (text.isascii() and text.isprintable()):
            return self._ask(request, NO_TOKEN, 400)
        token = SecretStr(text)
        try:
            profile = read_profile(await self._registry.ask_as(token).get("/profile/current"))
        except SignedOutError:
            return self._ask(request, UNKNOWN, 401)
        except RefusedError as refused:
            return self._ask(request, refused.message, refused.status)
        self._sessions.end(read_cookie(request, SESSION))
        response = RedirectResponse("/", SEE_OTHER)
        set_cookie(request, response, SESSION, self._sessions.open(token, profile))
        delete_cookie(request, response, VISITOR)
        return response

    async def _sign_out(self, request: Request) -> Response:
        session_id = read_cookie(request, SESSION)
        session = self._sessions.find(session_id)
        if session is None:
            raise SignedOutError
        await read_form(request, session)
        self._sessions.end(session_id)
        response = RedirectResponse(SIGN_IN, SEE_OTHER)
        delete_cookie(request, response, SESSION)
        return response

    def _ask(self, request: Request, fault: str | None = None, status: int = 200) -> Response:
        """Give the form, tied to this browser: nobody can have another sign in unknowingly to an account of theirs."""
        visitor = read_cookie(request, VISITOR) or secrets.token_urlsafe(32)
        context = {"fault": fault, "form_token": self._sign(visitor)}
        response = self._pages.render(request, "sign_in.html", None, status, context)
        set_cookie(request, response, VISITOR, visitor)
        return response

    def _was_shown_to(self, visitor: str, form_token: str) -> bool:
        return bool(visitor) and hmac.compare_digest(self._sign(visitor).encode(), form_token.encode())

    def _sign(self, visitor: str) -> str:
        return hmac.new(self._secret, visitor.encode(), hashlib.sha256).hexdigest()
