"""One request of somebody who is signed in: who it is, what may be asked of the registry, what the form holds."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from console.cookies import SESSION, read_cookie
from console.forms import Form, read_form
from console.pages import Pages
from console.refusal import SignedOutError, forbidden
from console.registry_api import ProfileApi, RegistryApi, RegistryAwayError
from console.sessions import Notice, Profile, Session, Sessions

CHECK_SECONDS = 15.0
"""How long a token that was renewed or removed may still look at what the registry is not asked for."""

SEE_OTHER = 303

FOR_ADMINISTRATORS = "This is for the administrator's profile: uplinks of every profile are in it"


@dataclass(frozen=True, slots=True)
class Visit:
    """What a route is given. ``form`` is empty where the page is only looked at."""

    request: Request
    session: Session
    api: ProfileApi
    pages: Pages
    form: Form = field(default_factory=Form)

    @property
    def profile(self) -> Profile:
        """Who is signed in."""
        return self.session.profile

    def path(self, name: str) -> str:
        """Give a part of the path."""
        value: str = self.request.path_params[name]
        return value

    def query(self, name: str) -> str:
        """Give a parameter of the query, or the empty string."""
        return self.request.query_params.get(name, "").strip()

    def render(self, template: str, status: int = 200, **context: Any) -> Response:
        """Give the page."""
        return self.pages.render(self.request, template, self.session, status, context)

    def render_part(self, template: str, **context: Any) -> Response:
        """Give a part of a page, for its script: what is to be said once waits for the next whole page."""
        return self.pages.render(self.request, template, None, 200, context)

    def redirect(
        self, url: str, text: str | None = None, *, secret: str | None = None, is_fault: bool = False
    ) -> Response:
        """Send the browser on, so that a reload sends nothing twice; the page there says the text, once.

        It is said in the part of the page that the URL's fragment names.
        """
        if text is not None:
            self.session.notices.append(Notice(text, secret, urlsplit(url).fragment, is_fault))
        return RedirectResponse(url, SEE_OTHER)


Handle: TypeAlias = Callable[[Visit], Awaitable[Response]]
"""Answers a visit. May raise :class:`console.refusal.RefusedError` and :class:`console.refusal.SignedOutError`."""


class Reception:
    """Lets in who is signed in, and nobody else."""

    def __init__(self, sessions: Sessions, registry: RegistryApi, pages: Pages) -> None:
        self._sessions = sessions
        self._registry = registry
        self._pages = pages

    def admit(self, handle: Handle) -> Callable[[Request], Awaitable[Response]]:
        """Give the endpoint for a route of profiles."""

        async def endpoint(request: Request) -> Response:
            try:
                return await handle(await self.receive(request))
            finally:
                await request.close()  # the files of its form

        return endpoint

    def admit_administrator(self, handle: Handle) -> Callable[[Request], Awaitable[Response]]:
        """Give the endpoint for a route of the administrator's profile."""

        async def handle_administrator(visit: Visit) -> Response:
            if not visit.profile.administrator:
                raise forbidden(FOR_ADMINISTRATORS)
            return await handle(visit)

        return self.admit(handle_administrator)

    async def receive(self, request: Request) -> Visit:
        """Give the visit. Raises SignedOutError, and RefusedError for a form that is not of this session."""
        session = self._sessions.find(read_cookie(request, SESSION))
        if session is None:
            raise SignedOutError
        form = await read_form(request, session) if request.method == "POST" else Form()
        api = self._registry.ask_as(session.token)
        await self._check(session, api)
        return Visit(request, session, api, self._pages, form)

    async def recheck(self, visit: Visit) -> bool:
        """Whether the session of a visit that goes on is still there. Raises SignedOutError for a token that is not."""
        if not self._sessions.lives(read_cookie(visit.request, SESSION)):
            return False
        await self._check(visit.session, visit.api)
        return True

    async def _check(self, session: Session, api: ProfileApi) -> None:
        """See now and then whether the token is still known. Raises SignedOutError.

        While the registry is away the session goes on: that is when an operator wants to look.
        """
        now = self._sessions.clock()
        if now - session.checked < CHECK_SECONDS:
            return
        try:
            session.profile = read_profile(await api.get("/profile/current"))
        except RegistryAwayError:
            return
        session.checked = now


def read_profile(document: Mapping[str, Any]) -> Profile:
    """Read what the registry says of a profile."""
    return Profile(document["id"], document["name"], document["administrator"])
