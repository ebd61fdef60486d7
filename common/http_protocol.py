"""uvicorn's HTTP/1.1 with the limits that it lacks: how long the head of a request may take, how large it may be."""

import asyncio
from http import HTTPStatus
from typing import Any

import httptools
import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from common.reason import Reason

HEAD_BYTES = 65_536
"""Of request line and headers, and as many where a body does not go on: of trailers, of what goes with a chunk.

Common servers take 8 to 64 kB; the longest query string of a gateway is far below.
"""

HEAD_SECONDS = 10.0
"""From the connection, or the first byte of a further request, to the end of the headers."""

LINGER_SECONDS = 1.0
"""For a sender that is refused to stop sending, and to read its answer."""

PIPELINE_REQUESTS = 64
"""Requests that one connection may send ahead of their answers; no gateway sends any, and each of them costs memory."""

TOO_MANY_RETRY_AFTER_SECONDS = 10
"""Connections on which nothing comes are closed after this time."""

PARTING = (b"connection", b"close")

UPGRADE_HEADERS = frozenset({b"connection", b"upgrade", b"http2-settings"})


class BoundedHttpProtocol(HttpToolsProtocol):
    """Refuses a request whose head does not come, or does not end; and answers what is no HTTP in our own form.

    A request that is whole gets its own answer, whatever follows it on the connection.
    """

    def __init__(self, *args: Any, connections_limit: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._connections_limit = connections_limit
        self._head_is_open = False
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._running: RequestResponseCycle | None = None
        self._answered_at = 0.0
        self._unread = 0
        """Bytes of answers that nobody had taken at the last look."""
        self._watch_timer: asyncio.TimerHandle
        self._is_read_out = False
        self._has_message_ended = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Give the first request its time, unless there are more connections than this process should hold."""
        super().connection_made(transport)
        if len(self.connections) > self._connections_limit:
            self._refuse_head(503, Reason.QUEUE_UNAVAILABLE, "Too many connections are open; send again later")
            self.transport.close()
        else:
            self._start_timer()
        self._watch_timer = self.loop.call_later(self.timeout_keep_alive, self._watch)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock, and tell the request that is being answered: uvicorn tells the newest one alone."""
        self._stop_timer()
        self._watch_timer.cancel()
        self.pipeline.clear()
        self._end_running()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, and count what has come since a head or body: the parser collects it, however much it is."""
        if self._is_read_out:
            return
        self._has_message_ended = False
        self._head_bytes += len(data)
        try:
            self._parse(data)
        except httptools.HttpParserError:
            self._refuse_head(400, Reason.BODY_MALFORMED, "The request is not valid HTTP")
        else:
            if self._head_bytes > HEAD_BYTES:
                self._refuse_head(431, Reason.BODY_TOO_LARGE, f"The headers are larger than {HEAD_BYTES} bytes")
            elif self._head_is_open and self._head_timer is None:
                self._start_timer()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Keep the connection for the answer to a request that is whole: a sender may end its own side behind it."""
        last: RequestResponseCycle | None = self.cycle
        if self.scheme == "https" or last is None or last.more_body or last.response_started or last.response_complete:
            return False  # TLS cannot be ended on one side
        last.keep_alive = False
        return True

    def on_message_begin(self) -> None:
        """Begin a head; it is timed unless it ends in what has come of it already."""
        self._head_is_open = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take what belongs to the head; behind the body it would replace what was admitted, or not, by how it came."""
        if self._head_is_open:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head has ended; the body is the application's."""
        self._head_is_open = False
        self._head_bytes = 0
        self._stop_timer()
        if self.transport.is_closing():
            raise httptools.HttpParserError("the answer before this request has ended the connection")
        if len(self.pipeline) >= PIPELINE_REQUESTS:
            raise httptools.HttpParserError("too many requests were sent ahead of their answers")
        if not self.parser.should_upgrade():
            self.begin_request()

    def on_body(self, body: bytes) -> None:
        """Hand over a part of the body; what is behind an answer is dropped."""
        self._head_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole, unless it is one that is about to be read again."""
        if not self.parser.should_upgrade():
            self._has_message_ended = True
            self.end_request()

    def begin_request(self) -> None:
        """Hand the request to the application; its body may be yet to come."""
        super().on_headers_complete()

    def end_request(self) -> None:
        """Note that the request is whole, even one that is answered already, and tell the application."""
        self.cycle.more_body = False
        self.cycle.message_event.set()

    def on_response_complete(self) -> None:
        """Go on with the next request, or wait for one."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self._answered_at = self.loop.time()

    def _watch(self) -> None:
        """Close the connection when no further request begins, and cut it off when nothing of its answers is read.

        uvicorn makes a timer for each wait and cancels it; here one timer for each connection looks when it is due.
        """
        now = self.loop.time()
        unread = self.transport.get_write_buffer_size()
        is_idle = (
            getattr(self.cycle, "response_complete", False)  # there is none before the first request
            and not self._head_is_open
            and not unread
            and not self.transport.is_closing()
        )
        since = self._answered_at if is_idle else now
        if since + self.timeout_keep_alive <= now:
            self.transport.close()
            since = now
        elif unread and unread == self._unread:
            self.transport.abort()
        self._unread = unread
        self._watch_timer = self.loop.call_at(since + self.timeout_keep_alive, self._watch)

    def _parse(self, data: bytes) -> None:
        while data:
            try:
                self.parser.feed_data(data)
                data = b""
            except httptools.HttpParserUpgrade as upgrade:
                data = self._drop_upgrade(data[upgrade.args[0] :])

    def _drop_upgrade(self, rest: bytes) -> bytes:
        """Give a request to be read again without its wish for another protocol, which a server may ignore.

        The parser takes nothing for a body once another protocol was wished for: a sender that offers HTTP/2 by an
        ``Upgrade`` header (curl, Java) would get its 202 for a body that was never read.
        """
        method = self.parser.get_method()
        if method == b"CONNECT":
            self._refuse_head(405, Reason.METHOD_NOT_ALLOWED, "CONNECT is not allowed here")
            return b""
        kept = [(name, value) for name, value in self.headers if name not in UPGRADE_HEADERS]
        if not self.parser.should_keep_alive():
            kept.append(PARTING)
        lines = [method + b" " + self.url + b" HTTP/1.1", *(name + b": " + value for name, value in kept)]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
        return b"\r\n".join(lines) + b"\r\n\r\n" + rest

    def _start_timer(self) -> None:
        message = f"The headers did not arrive within {HEAD_SECONDS:g} s"
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self._refuse_head, 408, Reason.REQUEST_TIMEOUT, message)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _refuse_head(self, status: int, reason: Reason, message: str) -> None:
        """End the connection with this refusal, or with the answer that a request gets or has got."""
        self._head_is_open = False
        self._is_read_out = True
        self._stop_timer()
        self.pipeline.clear()
        running = self._running
        if running is not None and not running.response_complete and not running.more_body:
            running.keep_alive = False
        elif not self.transport.is_closing():
            self._end_running()
            if running is None or not (running.response_started and running.more_body):
                self._write_refusal(status, reason, message)
            self._part()

    def _part(self) -> None:
        """Close, but take and drop what is still on its way: a reset would overtake the answer."""
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LINGER_SECONDS, self.transport.close)

    def _end_running(self) -> None:
        """Tell the request that is being answered that nobody listens any more."""
        if self._running is not None:
            self._running.disconnected = True
            self._running.waiting_for_100_continue = False
            self._running.message_event.set()

    def _write_refusal(self, status: int, reason: Reason, message: str) -> None:
        body = orjson.dumps({"status": False, "message": message, "reason": reason})
        head = f"HTTP/1.1 {status} \r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            head += f"retry-after: {TOO_MANY_RETRY_AFTER_SECONDS}\r\n"
        self.transport.write(head.encode() + b"connection: close\r\n\r\n" + body)
