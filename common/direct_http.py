"""A short way for requests that come in one piece, as a gateway's mostly do: without a task and ASGI's messages.

Those were a third of what a small request cost the ingest (docs/adr/0014-whole-requests.md). What comes in pieces,
slowly or behind an unanswered request goes through ASGI, as everything does that is not for this path.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from common.http_protocol import PARTING, BoundedHttpProtocol

NO_HEADERS: Mapping[str, str] = {}


class WholeAnswer(NamedTuple):
    """The answer to a request: a JSON body, and what headers there are besides its type and length."""

    status: int
    body: bytes
    headers: Mapping[str, str] = NO_HEADERS


@runtime_checkable
class DirectApp(Protocol):
    """An ASGI application that also takes requests which came whole.

    ``direct_path`` is the path for which it does, by POST.
    """

    direct_path: bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve what ASGI has it serve."""

    def take(self, request: "WholeRequest") -> None:
        """Have :meth:`WholeRequest.answer` called once, now or later. Must not raise."""


class Connection(Protocol):
    """Where a request came from, and its answer goes."""

    def write_answer(self, answer: WholeAnswer, *, keep_alive: bool) -> None:
        """Write the answer, and end the connection unless it is kept alive."""


class WholeRequest(RequestResponseCycle):
    """A request that came whole, until it is answered. To uvicorn it is a cycle of request and response.

    ``head`` is ASGI's scope.
    """

    message_event = asyncio.Event()
    """Nobody waits for anything further of this request."""

    response_started = False
    """An answer is written in one piece."""

    def __init__(self, connection: Connection, head: Scope, body: bytes) -> None:
        """Take only what is asked of a request that nothing is received of any more."""
        self._connection = connection
        self.head = head
        self.whole_body = body
        self.more_body = False
        self.keep_alive = True
        self.disconnected = False
        self.response_complete = False

    def answer(self, answer: WholeAnswer) -> None:
        """Write the answer, and hold the connection no longer.

        It holds its last request, and so the two would wait together for the collector, which comes seldom.
        """
        connection = self._connection
        del self._connection
        self.response_complete = True
        if not self.disconnected:
            connection.write_answer(answer, keep_alive=self.keep_alive)


class DirectHttpProtocol(BoundedHttpProtocol):
    """Holds a request back until it is seen whether it came whole."""

    def __init__(self, *args: Any, app: DirectApp, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._direct = app
        self._held: list[bytes] | None = None

    def begin_request(self) -> None:
        """Hold the request back where it may turn out to be whole."""
        if self._may_be_direct():
            self._held = []
        else:
            super().begin_request()

    def on_body(self, body: bytes) -> None:
        """Hold what may yet be a whole request; the rest is the application's."""
        if self._held is None:
            super().on_body(body)
        else:
            self._held.append(body)

    def end_request(self) -> None:
        """Hand over what is whole."""
        if self._held is None:
            super().end_request()
        else:
            held, self._held = self._held, None
            self._take(b"".join(held))

    def write_answer(self, answer: WholeAnswer, *, keep_alive: bool) -> None:
        """Write the answer of a whole request in one piece, and go on with what follows on the connection."""
        headers = self.server_state.default_headers
        if answer.headers:
            more = [(name.lower().encode(), value.encode("latin-1")) for name, value in answer.headers.items()]
            headers = headers + more
        if not keep_alive and PARTING not in headers:
            headers = [*headers, PARTING]
        self.transport.write(
            b"%b%bcontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
            % (
                STATUS_LINE[answer.status],
                b"".join([b"%b: %b\r\n" % header for header in headers]),
                len(answer.body),
                answer.body,
            )
        )
        if self._is_read_out:
            self._part()  # what was refused behind this request may still be coming
        elif PARTING in headers:
            self.transport.close()
        self.on_response_complete()

    def _may_be_direct(self) -> bool:
        return (
            not self._has_message_ended  # who sends many requests at once is bounded as the pipeline is
            and not self.flow.write_paused  # who does not read its answers waits for its turn to be answered
            and self.url.partition(b"?")[0] == self._direct.direct_path
            and b"#" not in self.url
            and self.parser.get_method() == b"POST"
            and getattr(self.cycle, "response_complete", True)  # there is none before the first request
            and not self.expect_100_continue
            and self.parser.get_http_version() == "1.1"
            and self.parser.should_keep_alive()
        )

    def _parse(self, data: bytes) -> None:
        """Parse, and leave to ASGI what did not come whole."""
        super()._parse(data)
        if self._held is not None:
            held, self._held = self._held, None
            super().begin_request()
            for body in held:
                super().on_body(body)

    def _take(self, body: bytes) -> None:
        path, _, query = self.url.partition(b"?")
        head: Scope = {**self.scope, "method": "POST", "path": path.decode(), "raw_path": path, "query_string": query}
        self.cycle = self._running = request = WholeRequest(self, head, body)
        self._direct.take(request)
