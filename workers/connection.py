"""One connection downstream: the bytes of a request out, its answer in; parsed by httptools, as the ingest's are."""

import asyncio
from typing import cast

import httptools
from multidict import CIMultiDict

from workers.answers import Answer, TransientError, refuse_answer

HEAD_BYTES = 65_536
"""Of an answer, and as many where its body does not go on; one of the API has some hundred."""

INFORMATIONAL = 1

ENDED = "the connection ended before the answer did"


class Connection(asyncio.Protocol):
    """Carries one exchange at a time; ``is_free`` says whether it can carry another."""

    def __init__(self) -> None:
        self.is_free = False
        self.free_since = 0.0
        """When its last exchange ended, in seconds of the event loop's clock."""
        self._transport: asyncio.Transport
        self._parser = httptools.HttpResponseParser(self)
        self._answered: asyncio.Future[Answer] | None = None
        self._most_bytes = 0
        self._headers: CIMultiDict[str] = CIMultiDict()
        self._body = bytearray()
        self._head_bytes = 0
        self._is_in_body = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be free for the first exchange."""
        self._transport = cast("asyncio.Transport", transport)
        self.is_free = True

    def send(self, request: bytes, *, most_bytes: int) -> asyncio.Future[Answer]:
        """Write a request, and give what will hold its answer.

        It holds :class:`workers.answers.TransientError` for what is not HTTP, for an answer in a coding or with a body
        of more bytes, and where the connection ends before the answer does.
        """
        self.is_free = False
        self._most_bytes = most_bytes
        self._answered = answered = asyncio.get_running_loop().create_future()
        if self._transport.is_closing():
            self._fail(TransientError(ENDED))
        else:
            self._transport.write(request)
        return answered

    def close(self) -> None:
        """End the connection; an answer that is awaited will not come."""
        if self.is_free:
            self._transport.close()
        else:
            self._transport.abort()
        self.is_free = False

    def data_received(self, data: bytes) -> None:
        """Read on in the answer."""
        if self._answered is None:  # a server that gives up an idle connection may say so
            self.close()
            return
        self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail(TransientError("the answer is not HTTP/1.1"))
        if self._head_bytes > HEAD_BYTES:
            self._fail(TransientError(f"an answer whose headers have more than {HEAD_BYTES} bytes: not from the API"))

    def eof_received(self) -> None:
        """End the answer where it goes on until the end of the connection, which the event loop closes behind this."""
        self.is_free = False
        if self._is_in_body and not _says_its_length(self._headers):
            self.on_message_complete()

    def connection_lost(self, error: Exception | None) -> None:
        """End the answer as above, for TLS may end without its own word for it; one that is awaited still is none."""
        if error is None:
            self.eof_received()
        self.is_free = False
        self._fail(TransientError(ENDED))

    def on_message_begin(self) -> None:
        """Begin an answer; a second one to a request is none to the next."""
        self._headers = CIMultiDict()
        self._body = bytearray()
        if self._answered is None:
            self.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; what comes behind the body is none."""
        if not self._is_in_body:
            self._headers.add(name.decode("latin-1"), value.decode("latin-1"))

    def on_headers_complete(self) -> None:
        """Refuse a coding: none was asked for, and what comes in one may unfold to anything."""
        self._is_in_body = True
        if "content-encoding" in self._headers:
            self._fail(refuse_answer(self._parser.get_status_code(), "in a coding that was not asked for"))

    def on_body(self, body: bytes) -> None:
        """Keep a part of the body while the whole is small."""
        self._body += body
        self._head_bytes = 0
        if len(self._body) > self._most_bytes:
            self._fail(refuse_answer(self._parser.get_status_code(), f"with more than {self._most_bytes} bytes"))

    def on_message_complete(self) -> None:
        """Give the answer, unless it only says that one will come."""
        self._is_in_body = False
        status = self._parser.get_status_code()
        if status // 100 == INFORMATIONAL:
            return
        self._head_bytes = 0
        answered, self._answered = self._answered, None
        if answered is None:  # it was given up
            return
        self.is_free = self._parser.should_keep_alive() and not self._transport.get_write_buffer_size()
        if not answered.done():
            answered.set_result(Answer(status, self._headers, bytes(self._body)))

    def _fail(self, error: TransientError) -> None:
        self.close()
        answered, self._answered = self._answered, None
        if answered is not None and not answered.done():
            answered.set_exception(error)


def _says_its_length(headers: CIMultiDict[str]) -> bool:
    return "content-length" in headers or "transfer-encoding" in headers
