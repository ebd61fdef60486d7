"""The HTTP server of a role, over real sockets of this machine's loopback."""

import asyncio
from collections.abc import AsyncIterator

import orjson
import pytest
from starlette.types import Receive, Scope, Send

from common import http_protocol
from common.serving import PortUnavailableError, bind, serve_http


async def app(_: Scope, receive: Receive, send: Send) -> None:
    while (await receive()).get("more_body", False):
        pass
    await send({"type": "http.response.start", "status": 202, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


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


async def test_what_is_no_http_is_refused_in_the_form_of_every_refusal(port: int) -> None:
    answer = await talk(port, b"\x16\x03\x01 hello\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400")
    assert orjson.loads(answer.rpartition(b"\r\n\r\n")[2])["status"] is False


def test_a_port_in_use_is_named(unused_tcp_port: int) -> None:
    with bind("127.0.0.1", unused_tcp_port), pytest.raises(PortUnavailableError, match=f"127.0.0.1:{unused_tcp_port}"):
        bind("127.0.0.1", unused_tcp_port)
