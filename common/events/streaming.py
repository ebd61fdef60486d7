"""``GET /events``: what happens in this process, as server-sent events. For whoever shows the service token.

A stream lasts as long as an announcement does; its viewer comes again for the next one, and that says that it is still
there. One that is stopped, or cut off from the network, would otherwise look like one that has nothing to read.
"""

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator, Callable

import orjson
from pydantic import SecretStr
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from common.events.announcement import Announcement, AnnouncementUnreadableError, announcement_from_document
from common.events.engine import EventTiming
from common.events.hub import AlreadyWatchedError, EventHub, TooManyViewersError, View
from common.health import Health

PATH = "/events"

BURST = 100
"""Events that are written at a time."""

LOOK_SECONDS = 0.5
"""How soon a stream ends when its process drains, or its viewer is forgotten."""

MISSED = "missed"
"""Name of the server-sent event that says how many events were dropped; an event itself has no name."""

SAMPLED = "sampled"
"""Name of the one that says of how many uplinks the viewer is told of one, before each burst while there is more."""

FindToken = Callable[[], SecretStr | None]
"""Gives the token that viewers have to show, as it is now; None: nobody may watch."""


class ServedEvents(EventHub):
    """The engine where the queue is in a file: viewers come to each process of the deployment over HTTP."""

    def __init__(self, find_token: FindToken, timing: EventTiming | None = None) -> None:
        self._timing = timing or EventTiming()
        super().__init__(self._timing)
        self._find_token = find_token

    def serve_beside(self, app: ASGIApp, health: Health) -> ASGIApp:
        """See the base class: ``GET /events`` beside the role's own paths."""

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and scope["path"] == PATH:
                await self._answer(Request(scope), health, receive, send)
            else:
                await app(scope, receive, send)

        return serve

    async def _answer(self, request: Request, health: Health, receive: Receive, send: Send) -> None:
        """Answer one request for events; a connection that takes nothing more is cut off."""
        try:
            self._authenticate(request)
            view = self._find_view(request, health)
        except HTTPException as refused:
            answer = JSONResponse({"status": False, "message": refused.detail}, status_code=refused.status_code)
            await answer(request.scope, receive, send)
            return
        view.is_read = True
        stream = StreamingResponse(
            self._stream(view, health), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )
        try:
            async with asyncio.timeout(self._timing.forget_seconds):
                await stream(request.scope, receive, send)
        except TimeoutError:
            return
        finally:
            view.is_read = False

    def _authenticate(self, request: Request) -> None:
        """Raise HTTPException for whoever may not watch."""
        token = self._find_token()
        if token is None:
            raise HTTPException(
                403, "Events are not served: set SLUICE_DIRECTORY_TOKEN here, and the same where they are read"
            )
        shown = request.headers.get("Authorization", "")
        if not hmac.compare_digest(_digest(shown), _digest(token.get_secret_value())):
            raise HTTPException(401, "Authorization Denied")

    def _find_view(self, request: Request, health: Health) -> View:
        """Give the view of whoever asks. Raises HTTPException."""
        if health.draining:
            raise HTTPException(503, "The process is stopping")
        if request.method != "GET":
            raise HTTPException(405, f"{request.method} is not allowed here: use GET")
        try:
            return self.view(_read_announcement(request))
        except AnnouncementUnreadableError as error:
            raise HTTPException(400, str(error)) from None
        except AlreadyWatchedError:
            raise HTTPException(409, "This viewer reads the events of this process already") from None
        except TooManyViewersError:
            raise HTTPException(503, "Too many viewers watch this process") from None

    async def _stream(self, view: View, health: Health) -> AsyncIterator[bytes]:
        clock = asyncio.get_running_loop().time
        until = clock() + self._timing.announce_seconds
        yield b": watching\n\n"
        said = 1
        while (left := until - clock()) > 0 and not health.draining and not view.is_over:
            await view.buffer.wait(min(left, LOOK_SECONDS))
            if events := view.buffer.take(BURST):
                before, said = said, view.sampler.one_in
                if said > 1 or before > 1:
                    yield _encode(SAMPLED, {"one_in": said})
                yield b"".join(b"data: %b\n\n" % event for event in events)
            if dropped := view.buffer.take_dropped():
                yield _encode(MISSED, {"events": dropped})


def _read_announcement(request: Request) -> Announcement:
    query = request.query_params
    filters = {name: query.getlist(name) for name in ("serials", "keys", "networks", "reasons")}
    rate = query.get("uplinks_per_second", "")
    return announcement_from_document(
        {
            "viewer": query.get("viewer"),
            "details": query.get("details") == "true",
            "uplinks_per_second": int(rate) if rate.isdecimal() else rate or None,
            **filters,
        }
    )


def _encode(name: str, data: dict[str, int]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), orjson.dumps(data))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
