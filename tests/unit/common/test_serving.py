"""The HTTP server of a role, over real sockets of this machine's loopback."""

import asyncio
from collections.abc import AsyncIterator

import orjson
import pytest
from starlette.types import Receive, Scope, Send

from common import http_protocol
from common.serving import PortUnavailableError, bind, serve_http


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


@pytest.fixture
async def port() -> AsyncIterator[int]:
    listener = bind("127.0.0.1", 0)
    stopping = asyncio.Event()
    serving = asyncio.create_task(serve_http(app, listener, role="test", stopping=stopping, grace=1))
    yield int(listener.getsockname()[1])
    stopping.set()
    await serving


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


async def test_requests_on_one_connection_are_answered_one_after_another(port: int) -> None:
    answer = await talk(port, REQUEST + b"\r\nab" + REQUEST + b"Connection: close\r\n\r\nab")
    assert answer.count(b"HTTP/1.1 202") == 2


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


def test_a_port_in_use_is_named(unused_tcp_port: int) -> None:
    with bind("127.0.0.1", unused_tcp_port), pytest.raises(PortUnavailableError, match=f"127.0.0.1:{unused_tcp_port}"):
        bind("127.0.0.1", unused_tcp_port)
