"""The HTTP server of a role, over real sockets of this machine's loopback."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
import pytest
import uvloop
from starlette.types import ASGIApp, Receive, Scope, Send

from common import http_protocol
from common.serving import PortUnavailableError, ServingOptions, bind, serve_http
from tests.support.waiting import eventually


async def app(_: Scope, receive: Receive, send: Send) -> None:
    """Answer with the body that came."""
    body, more = b"", True
    while more:
        event = await receive()
        body += event.get("body", b"")
        more = event.get("more_body", False)
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 202, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def serving(app: ASGIApp = app, *, connections_limit: int = 100) -> AsyncIterator[int]:
    """Serve on a free port; give it."""
    listener = bind("127.0.0.1", 0)
    stopping = asyncio.Event()
    options = ServingOptions(grace=1, connections_limit=connections_limit)
    server = asyncio.create_task(
        serve_http(app, listener, options, role="test", draining=asyncio.Event(), stopping=stopping)
    )
    yield int(listener.getsockname()[1])
    stopping.set()
    await server


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async with serving() as port:
        yield port


async def talk(port: int, *parts: bytes) -> bytes:
    """Send, and give everything that comes back until the server closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for part in parts:
        writer.write(part)
        await writer.drain()
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return answer


REQUEST = b"POST /uplink HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
SLOW_REQUEST = REQUEST.replace(b"/uplink", b"/slow") + b"\r\nab"
LAST_REQUEST = REQUEST + b"Connection: close\r\n\r\nab"


async def test_requests_on_one_connection_are_answered_one_after_another(port: int) -> None:
    answer = await talk(port, REQUEST + b"\r\nab" + REQUEST + b"Connection: close\r\n\r\nab")
    assert answer.count(b"HTTP/1.1 202") == 2


@pytest.mark.parametrize(
    "follows", [b"no HTTP\r\n\r\n", b"GET\x00 / HTTP/1.1\r\n\r\n", b"CONNECT a:1 HTTP/1.1\r\n\r\n"]
)
async def test_a_request_that_is_whole_gets_its_own_answer_whatever_follows_it(port: int, follows: bytes) -> None:
    answer = await talk(port, REQUEST + b"\r\nab" + follows)
    assert answer.startswith(b"HTTP/1.1 202")
    assert answer.count(b"HTTP/1.1") == 1
    assert b"connection: close" in answer


async def test_a_body_that_is_no_http_is_refused_once_though_its_sender_waits_for_100(
    port: int, caplog: pytest.LogCaptureFixture
) -> None:
    head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
    answer = await talk(port, head + b"no length\r\n")
    assert answer.startswith(b"HTTP/1.1 400")
    assert answer.count(b"HTTP/1.1") == 1
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


async def test_requests_ahead_of_their_answers_are_bounded(port: int) -> None:
    answer = await talk(port, (REQUEST + b"\r\nab") * 2_000)
    assert 1 <= answer.count(b"HTTP/1.1 202") <= http_protocol.PIPELINE_REQUESTS + 1


async def test_a_head_behind_a_large_body_is_not_taken_for_a_large_head(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_protocol, "HEAD_BYTES", 1_000)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\n" + b"a" * 2_000 + LAST_REQUEST[:9])
    await reader.readuntil(b"a" * 2_000)
    writer.write(LAST_REQUEST[9:])
    assert (await asyncio.wait_for(reader.read(), 10)).startswith(b"HTTP/1.1 202")
    writer.close()


def test_what_follows_requests_ahead_of_their_answers_leaves_no_error_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def run() -> None:
        released = asyncio.Event()

        async def answer_when_released(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["path"] == "/slow":
                await released.wait()
            await app(scope, receive, send)

        async with serving(answer_when_released) as port:
            talking = asyncio.create_task(talk(port, SLOW_REQUEST + SLOW_REQUEST + b"no HTTP\r\n"))
            await talk(port, LAST_REQUEST)  # when this is answered, everything before it has been read
            released.set()
            assert (await talking).count(b"HTTP/1.1 202") == 1

    uvloop.run(run())  # as a process does: asyncio's own loop forgives what is written to nobody
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


@pytest.mark.parametrize("start", [b"", b"POST /upl", REQUEST, REQUEST + b"\r\nab" + b"POST /upl"])
async def test_a_head_that_does_not_end_is_answered_408(
    port: int, start: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_protocol, "HEAD_SECONDS", 0.1)
    answer = await talk(port, start)
    assert answer.count(b"HTTP/1.1 408") == 1
    assert orjson.loads(answer.rpartition(b"\r\n\r\n")[2])["reason"] == "request_timeout"


async def test_a_head_that_is_too_large_is_refused_while_it_comes(port: int) -> None:
    answer = await talk(port, REQUEST + b"X: " + b"x" * http_protocol.HEAD_BYTES)
    assert answer.startswith(b"HTTP/1.1 431")


@pytest.mark.parametrize("split", [1, 60, 150, 1_000])
async def test_a_wish_for_another_protocol_is_ignored_and_the_body_is_read(port: int, split: int) -> None:
    wish = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    requests = REQUEST + wish + b"\r\nab" + REQUEST + b"Connection: close\r\n\r\ncd"
    answer = await talk(port, requests[:split], requests[split:])
    assert answer.count(b"HTTP/1.1 202") == 2
    assert answer.endswith(b"cd")
    assert b"\r\n\r\nab" in answer


async def test_a_tunnel_is_refused(port: int) -> None:
    assert (await talk(port, b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n")).startswith(b"HTTP/1.1 405")


async def test_what_is_no_http_is_refused_in_the_form_of_every_refusal(port: int) -> None:
    answer = await talk(port, b"\x16\x03\x01 hello\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400")
    assert orjson.loads(answer.rpartition(b"\r\n\r\n")[2])["status"] is False


async def test_connections_above_the_limit_are_answered_503_until_others_end() -> None:
    async with serving(connections_limit=2) as port:
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        answer = await talk(port)
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"retry-after: " in answer
        for _, writer in idle:
            writer.close()
        await eventually(lambda: is_accepted(port))


async def is_accepted(port: int) -> bool:
    return (await talk(port, LAST_REQUEST)).startswith(b"HTTP/1.1 202")


def test_a_port_in_use_is_named(unused_tcp_port: int) -> None:
    with bind("127.0.0.1", unused_tcp_port), pytest.raises(PortUnavailableError, match=f"127.0.0.1:{unused_tcp_port}"):
        bind("127.0.0.1", unused_tcp_port)
