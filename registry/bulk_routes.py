"""The way in for workers: many posts for many devices in one request."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from registry.answer import answer
from registry.bulk import BULK_BYTES, BULK_SCHEMA, Bulk
from registry.operations import Operation
from registry.request import read_body

BULK = "/data/bulk"

HEADER = (b"sluice-bulk", BULK.encode())
"""Tells a worker that it may post there."""

_ANNOUNCED_AT = frozenset({"/data", "/info", BULK})
"""What a worker asks anyway."""


class BulkRoutes:
    """The route for many posts; each of them brings its device's token."""

    def __init__(self, bulk: Bulk) -> None:
        self._bulk = bulk

    @property
    def operations(self) -> Sequence[Operation]:
        """What there is to be done."""
        return [Operation("POST", BULK, self._post, "Post data of many devices", caller=None, body=BULK_SCHEMA)]

    async def _post(self, request: Request) -> Response:
        return answer(await self._bulk.take(await read_body(request, BULK_BYTES)))


class BulkAnnouncement:
    """Middleware: says where many posts may be sent at once, whatever the answer is."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and the answer back with one more header."""

        async def announce(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], HEADER]
            await send(message)

        announced = scope["type"] == "http" and scope["path"] in _ANNOUNCED_AT
        await self._app(scope, receive, announce if announced else send)
