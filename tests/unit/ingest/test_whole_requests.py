"""The same bytes have the same answer, in whatever pieces they come and whichever way they go."""

import asyncio
import gzip
import weakref
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from common.direct_http import DirectHttpProtocol
from common.health import Health
from common.http_protocol import BoundedHttpProtocol
from ingest.acceptance import Acceptance
from ingest.routes import IngestApp, Limits, UplinkEndpoint, create_app
from tests.support.directories import StaticDirectory, build_directory, build_key
from tests.support.queues import FakeQueue
from tests.support.waiting import eventually

BODY = b'{"serial":"A"}'
BODY_LIMIT = 60

LAST = b"GET /status HTTP/1.1\r\nConnection: close\r\n\r\n"
"""What ends the connection behind the request in question."""


def build_request(
    *lines: bytes, start: bytes = b"POST /uplink HTTP/1.1", body: bytes = BODY, length: bool = True
) -> bytes:
    """Write a request; its group is the same each time."""
    head = [start, b"Authorization: at-factory", b"Content-Type: application/json", b"Idempotency-Key: 1", *lines]
    if length:
        head.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def build_chunked(*trailers: bytes) -> bytes:
    chunks = b"4;a=b\r\n%b\r\n%x\r\n%b\r\n0\r\n" % (BODY[:4], len(BODY[4:]), BODY[4:])
    body = chunks + b"".join(trailer + b"\r\n" for trailer in trailers) + b"\r\n"
    return build_request(b"Transfer-Encoding: chunked", body=body, length=False)


def build_start(url: bytes, method: bytes = b"POST") -> bytes:
    return build_request(start=method + b" " + url + b" HTTP/1.1")


GZIPPED = gzip.compress(BODY, mtime=0)

REQUESTS = {
    "plain": build_request(),
    "no body": build_request(body=b""),
    "no body but a serial in the query": build_request(start=b"POST /uplink?serial=A HTTP/1.1", body=b""),
    "a body of the largest size": build_request(body=BODY.ljust(BODY_LIMIT)),
    "a body that is too large": build_request(body=BODY.ljust(BODY_LIMIT + 1)),
    "gzip": build_request(b"Content-Encoding: gzip", body=GZIPPED),
    "broken gzip": build_request(b"Content-Encoding: gzip", body=GZIPPED[:-1]),
    "unknown coding": build_request(b"Content-Encoding: br"),
    "broken JSON": build_request(body=b'{"serial":'),
    "chunked": build_chunked(),
    "trailers": build_chunked(b"Authorization: at-other", b"Content-Type: text/plain", b"Idempotency-Key: 2"),
    "two keys": build_request(b"Authorization: at-nobody"),
    "expect": build_request(b"Expect: 100-continue"),
    "expect more": build_request(b"Expect: more"),
    "upgrade": build_request(b"Connection: Upgrade", b"Upgrade: h2c"),
    "websocket": build_request(b"Connection: Upgrade", b"Upgrade: websocket"),
    "absolute": build_start(b"http://a/uplink"),
    "percent-encoded": build_start(b"/%75plink"),
    "two slashes": build_start(b"//uplink"),
    "slash behind": build_start(b"/uplink/"),
    "two question marks": build_start(b"/uplink?a?b=%zz&&c"),
    "fragment": build_start(b"/uplink?a=b#c?d"),
    "long query": build_start(b"/uplink?a=" + b"b" * 8_192),
    "HEAD": build_start(b"/uplink", b"HEAD"),
    "GET": build_start(b"/uplink", b"GET"),
    "PUT": build_start(b"/uplink", b"PUT"),
}

MALFORMED = {
    "two lengths": build_request(b"Content-Length: 3"),
    "length and chunks": build_request(b"Content-Length: 3", b"Transfer-Encoding: chunked", length=False),
    "chunks that are not last": build_request(b"Transfer-Encoding: chunked, gzip", length=False),
    "a length that is none": build_request(b"Content-Length: +14", length=False),
    "a header that is folded": build_request(b"X: y\r\n z"),
    "a space before the colon": build_request(b"X : y"),
    "a chunk without a length": build_request(b"Transfer-Encoding: chunked", body=b"x\r\n", length=False),
    "a chunk that is too long": build_request(b"Transfer-Encoding: chunked", body=b"2\r\nabc\r\n", length=False),
}


class Wire(asyncio.Transport):
    """A connection without a network; ``ended`` is set when the server ends it."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.1", 1), "sockname": ("192.0.2.2", 80)})
        self.written = b""
        self.ended = asyncio.Event()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.ended.is_set()
        self.written += bytes(data)

    def close(self) -> None:
        self.ended.set()

    def is_closing(self) -> bool:
        return self.ended.is_set()

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ended.set()

    def pause_reading(self) -> None:
        """Nothing comes by itself here."""

    def resume_reading(self) -> None:
        """Nothing comes by itself here."""


async def converse(protocol: BoundedHttpProtocol, pieces: Sequence[bytes]) -> list[bytes]:
    """Send, and give the answers; those to a wish for ``100 Continue`` depend on the pieces."""
    wire = Wire()
    protocol.connection_made(wire)
    for piece in pieces:
        if not wire.is_closing():
            protocol.data_received(piece)
            await asyncio.sleep(0)  # one turn of the loop, so that what the piece began is under way
    await asyncio.wait_for(wire.ended.wait(), 5)
    protocol.connection_lost(None)
    answers = [b"HTTP/1.1 " + answer for answer in wire.written.split(b"HTTP/1.1 ")[1:]]
    return [read_answer(answer) for answer in answers if not answer.startswith(b"HTTP/1.1 100")]


def read_answer(answer: bytes) -> bytes:
    """Give an answer with its headers in the order of their names."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.split(b"\r\n")
    return b"\r\n".join([status, *sorted(lines), b"", body])


class Servers:
    """One ingest behind both protocols."""

    def __init__(self, app: IngestApp) -> None:
        self._app = app
        self._config = uvicorn.Config(app, lifespan="off", ws="none", log_config=None)
        self._config.load()

    async def answer_directly(self, *pieces: bytes) -> list[bytes]:
        return await converse(self.create_direct(), pieces)

    def create_direct(self) -> DirectHttpProtocol:
        return DirectHttpProtocol(**self._options, app=self._app)

    async def answer_by_asgi(self, *pieces: bytes) -> list[bytes]:
        return await converse(BoundedHttpProtocol(**self._options), pieces)

    @property
    def _options(self) -> dict[str, Any]:
        return {"config": self._config, "server_state": ServerState(), "app_state": {}, "connections_limit": 10}


@pytest.fixture
async def acceptance() -> AsyncIterator[Acceptance]:
    acceptance = Acceptance(FakeQueue(), confirm_timeout=5, waiting_limit=100, queue_limit=0)
    watching = asyncio.create_task(acceptance.watch())
    await acceptance.gate.first_confirm.wait()
    yield acceptance
    watching.cancel()


@pytest.fixture
def servers(acceptance: Acceptance) -> Servers:
    directory = StaticDirectory(build_directory(build_key("factory"), build_key("other")))
    endpoint = UplinkEndpoint(directory, acceptance, Limits(body=BODY_LIMIT, items=5, seconds=5))
    return Servers(create_app(endpoint, Health("ingest", list, started=True), {}))


def split_points(request: bytes) -> range:
    """Give every position, but few of those within what is long."""
    return range(1, len(request), 1 + len(request) // 400)


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
async def test_a_request_is_answered_alike_wherever_it_is_split(servers: Servers, request_: bytes) -> None:
    expected = await servers.answer_by_asgi(request_ + LAST)
    assert len(expected) == 2
    assert await servers.answer_directly(request_ + LAST) == expected
    assert await servers.answer_directly(request_, LAST) == expected
    for split in split_points(request_):
        assert await servers.answer_directly(request_[:split], request_[split:] + LAST) == expected, split
        assert await servers.answer_by_asgi(request_[:split], request_[split:] + LAST) == expected, split


@pytest.mark.parametrize("request_", MALFORMED.values(), ids=MALFORMED)
async def test_what_could_be_read_in_two_ways_is_refused_wherever_it_is_split(
    servers: Servers, request_: bytes
) -> None:
    expected = await servers.answer_by_asgi(request_ + LAST)
    assert [answer[:12] for answer in expected] == [b"HTTP/1.1 400"]
    for split in split_points(request_):
        assert await servers.answer_directly(request_[:split], request_[split:] + LAST) == expected, split


async def test_requests_ahead_of_their_answers_are_answered_alike_wherever_they_are_split(servers: Servers) -> None:
    requests = REQUESTS["plain"] + REQUESTS["two keys"] + REQUESTS["chunked"] + REQUESTS["no body"] + LAST
    expected = await servers.answer_by_asgi(requests)
    assert [answer[9:12] for answer in expected] == [b"202", b"403", b"202", b"400", b"200"]
    for split in split_points(requests):
        assert await servers.answer_directly(requests[:split], requests[split:]) == expected, split


@pytest.mark.usefixtures("uncollected")
async def test_a_connection_that_has_ended_is_gone_at_once(servers: Servers) -> None:
    wire, protocol = Wire(), servers.create_direct()
    protocol.connection_made(wire)
    protocol.data_received(REQUESTS["plain"])
    await eventually(lambda: b"HTTP/1.1 202" in wire.written)
    protocol.connection_lost(None)
    ended = weakref.ref(protocol)
    del protocol
    assert ended() is None
