"""The HTTP server of a role, over real sockets of this machine's loopback."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import orjson
import pytest
import uvloop
from starlette.types import ASGIApp, Receive, Scope, Send

from common import http_protocol
from common.direct_http import NO_HEADERS, DirectApp, WholeAnswer, WholeRequest
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


class EchoingDirectly:
    """The same, which also takes requests that came whole, and says in a header of its answer that it did."""

    direct_path = b"/uplink"

    def __init__(self) -> None:
        self.held: list[WholeRequest] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, receive, send)

    def take(self, request: WholeRequest) -> None:
        if self.held is None:
            answer = WholeAnswer(202, request.whole_body, {"Taken": "whole"})
            asyncio.get_running_loop().call_soon(request.answer, answer)
        else:
            self.held.append(request)


@asynccontextmanager
async def serving(app: ASGIApp = app, *, connections_limit: int = 100) -> AsyncIterator[int]:
    """Serve on a free port; give it."""
    listener = bind("127.0.0.1", 0)
    stopping = asyncio.Event()
    options = ServingOptions(grace=1, connections_limit=connections_limit)
    server = asyncio.create_task(
        serve_http(
            app,
            listener,
            options,
            role="test",
            draining=asyncio.Event(),
            stopping=stopping,
            direct=app if isinstance(app, DirectApp) else None,
        )
    )
    yield int(listener.getsockname()[1])
    stopping.set()
    await server


@pytest.fixture(params=["asgi", "direct"])
async def port(request: pytest.FixtureRequest) -> AsyncIterator[int]:
    """What holds for a server holds whichever way its requests take."""
    async with serving(app if request.param == "asgi" else EchoingDirectly()) as port:
        yield port


@pytest.fixture
def directly() -> EchoingDirectly:
    return EchoingDirectly()


@pytest.fixture
async def direct_port(directly: EchoingDirectly) -> AsyncIterator[int]:
    async with serving(directly) as port:
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


CHUNKED_HEAD = b"POST /uplink HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("start", [b"0\r\nX: ", b"2;x="], ids=["trailer", "chunk extension"])
async def test_what_is_no_body_is_bounded_behind_the_head_as_in_it(port: int, start: bytes) -> None:
    answer = await talk(port, CHUNKED_HEAD, start, *[b"x" * 10_000] * 100)
    assert answer.startswith(b"HTTP/1.1 431")
    assert answer.count(b"HTTP/1.1") == 1


async def refuse(_: Scope, __: Receive, send: Send) -> None:
    """Answer without a look at the body."""
    await send({"type": "http.response.start", "status": 401, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


@pytest.mark.parametrize(
    "rest", [(b"0\r\nX: ", *[b"x" * 10_000] * 100), (b"no length\r\n",)], ids=["endless trailer", "no HTTP"]
)
async def test_a_bad_rest_behind_an_answer_ends_the_connection_without_a_second_one(rest: tuple[bytes, ...]) -> None:
    async with serving(refuse) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(CHUNKED_HEAD)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 401")
        writer.writelines(rest)
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()


async def test_the_rest_of_a_body_behind_an_answer_is_dropped_and_the_next_request_answered() -> None:
    async with serving(refuse) as port:
        answer = await talk(port, REQUEST.replace(b": 2", b": 1000000") + b"\r\n", b"x" * 1_000_000, LAST_REQUEST)
    assert answer.count(b"HTTP/1.1 401") == 2


async def test_the_rest_of_a_body_behind_an_answer_has_as_much_time_as_the_next_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("common.serving.KEEP_ALIVE_SECONDS", 0.2)
    async with serving(refuse) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(REQUEST.replace(b": 2", b": 1000000000") + b"\r\n")
        await reader.readuntil(b"\r\n\r\n")

        async def drip() -> None:
            while True:
                writer.write(b"x")
                await asyncio.sleep(0.05)

        dripping = asyncio.create_task(drip())
        assert await asyncio.wait_for(reader.read(), 10) == b""
        dripping.cancel()
        writer.close()


async def test_a_path_that_is_too_long_to_be_read_is_refused(
    port: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(http_protocol, "HEAD_BYTES", 100_000)
    start, rest = REQUEST.replace(b"/uplink", b"/uplink?" + b"a" * 66_000).split(b" HTTP", 1)
    answer = await talk(port, start, b" HTTP" + rest + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 400")
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


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


# Requests that came whole

WHOLE = b"taken: whole"
CHUNKED = b"POST /uplink HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n"


async def exchange(port: int, *parts: bytes) -> bytes:
    """Send, and give the answer with the body ``ab``; the connection stays open until then."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for part in parts:
        writer.write(part)
        await writer.drain()
        await talk(port, LAST_REQUEST)  # when this is answered, everything before it has been read
    answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\nab"), 10)
    writer.close()
    return answer


@pytest.mark.parametrize(
    "request_", [REQUEST + b"\r\nab", REQUEST.replace(b"/uplink", b"/uplink?a=b") + b"\r\nab", CHUNKED]
)
async def test_a_request_in_one_piece_is_taken_whole(direct_port: int, request_: bytes) -> None:
    answer = await exchange(direct_port, request_)
    assert WHOLE in answer
    assert b"\r\ndate: " in answer
    assert b"\r\ncontent-length: 2\r\n" in answer


@pytest.mark.parametrize(
    "parts",
    [
        (REQUEST + b"\r\n", b"ab"),
        (REQUEST + b"\r\na", b"b"),
        (REQUEST.replace(b"/uplink", b"/uplinks") + b"\r\nab",),
        (REQUEST.replace(b"POST", b"PUT") + b"\r\nab",),
        (REQUEST.replace(b"/uplink", b"/uplink#a") + b"\r\nab",),
        (REQUEST.replace(b"HTTP/1.1", b"HTTP/1.0") + b"\r\nab",),
        (REQUEST + b"Connection: close\r\n\r\nab",),
        (REQUEST + b"Expect: 100-continue\r\n\r\nab",),
    ],
    ids=["late body", "half a body", "other path", "other method", "fragment", "HTTP/1.0", "close", "expect"],
)
async def test_any_other_goes_through_asgi(direct_port: int, parts: tuple[bytes, ...]) -> None:
    assert WHOLE not in await exchange(direct_port, *parts)


async def test_a_whole_request_that_waits_is_answered_before_what_follows_it(
    direct_port: int, directly: EchoingDirectly
) -> None:
    directly.held = []
    talking = asyncio.create_task(talk(direct_port, REQUEST + b"\r\nab" + LAST_REQUEST[:-2] + b"cd"))
    await eventually(lambda: directly.held)
    directly.held[0].answer(WholeAnswer(202, b"ab"))
    answer = await talking
    assert answer.index(b"\r\n\r\nab") < answer.index(b"\r\n\r\ncd")


async def test_an_answer_may_end_the_connection(direct_port: int, directly: EchoingDirectly) -> None:
    directly.held = []
    talking = asyncio.create_task(talk(direct_port, REQUEST + b"\r\nab"))
    await eventually(lambda: directly.held)
    directly.held[0].answer(WholeAnswer(503, b"{}", {"Connection": "close", "Retry-After": "5"}))
    answer = await talking
    assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"\r\nretry-after: 5\r\n" in answer


def test_nothing_is_written_to_a_sender_that_has_gone(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        directly = EchoingDirectly()
        directly.held = []
        async with serving(directly) as port:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(REQUEST + b"\r\nab")
            await eventually(lambda: directly.held)
            linger = struct.pack("ii", 1, 0)  # a reset, no mere end of what it sends
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
            request = directly.held[0]
            await eventually(lambda: request.disconnected)
            request.answer(WholeAnswer(202, b"ab"))
            assert request.response_complete

    uvloop.run(run())
    assert [record.getMessage() for record in caplog.records if record.levelname != "DEBUG"] == []


class RefusingDirectly(EchoingDirectly):
    """Answers while the request is handed over, and counts what was."""

    def __init__(self, body: bytes = b"{}", headers: Mapping[str, str] = NO_HEADERS) -> None:
        super().__init__()
        self.answer = WholeAnswer(401, body, headers)
        self.taken: list[WholeRequest] = []

    def take(self, request: WholeRequest) -> None:
        self.taken.append(request)
        request.answer(self.answer)


async def test_nothing_is_taken_behind_an_answer_that_ends_the_connection() -> None:
    refusing = RefusingDirectly(headers={"Connection": "close"})
    async with serving(refusing) as port:
        answer = await talk(port, (REQUEST + b"\r\nab") * 20)
    assert answer.count(b"HTTP/1.1") == len(refusing.taken) == 1


async def test_requests_ahead_of_their_answers_are_bounded_though_each_is_answered_at_once() -> None:
    refusing = RefusingDirectly()
    async with serving(refusing) as port:
        answer = await talk(port, (REQUEST + b"\r\nab") * 500)
    assert 1 <= answer.count(b"HTTP/1.1") <= http_protocol.PIPELINE_REQUESTS + 1


def test_any_number_of_wishes_for_another_protocol_leaves_no_error_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    wish = b"POST /uplink HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"

    async def run() -> None:
        async with serving(RefusingDirectly()) as port:
            assert (await talk(port, wish * 900)).startswith(b"HTTP/1.1 ")

    uvloop.run(run())
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_wish_for_another_protocol_does_not_undo_the_wish_to_part(port: int) -> None:
    answer = await talk(port, REQUEST + b"Connection: close, Upgrade\r\nUpgrade: h2c\r\n\r\nab")
    assert answer.endswith(b"ab")


async def test_who_does_not_read_answers_is_not_given_more_of_them() -> None:
    refusing = RefusingDirectly(body=b"x" * 20_000_000)
    async with serving(refusing) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1_000)
        writer.write(REQUEST + b"\r\nab")
        await eventually(lambda: refusing.taken)
        writer.write(REQUEST + b"\r\nab")
        await talk(port, LAST_REQUEST)  # when this is answered, everything before it has been read
        assert len(refusing.taken) == 1
        while not (await asyncio.wait_for(reader.read(1_000_000), 10)).endswith(b"\r\n\r\nab"):
            pass
        writer.close()


async def test_who_ends_its_own_side_behind_a_request_gets_the_answer(
    direct_port: int, directly: EchoingDirectly
) -> None:
    directly.held = []
    reader, writer = await asyncio.open_connection("127.0.0.1", direct_port)
    writer.write(REQUEST + b"\r\nab")
    writer.write_eof()
    await eventually(lambda: directly.held and not directly.held[0].keep_alive)
    directly.held[0].answer(WholeAnswer(202, b"ab"))
    answer = await asyncio.wait_for(reader.read(), 10)
    assert answer.startswith(b"HTTP/1.1 202")
    assert b"\r\nconnection: close\r\n" in answer
    writer.close()


async def test_who_ends_its_own_side_within_a_request_is_let_go(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(REQUEST + b"\r\na")
    writer.write_eof()
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()


async def test_what_follows_a_body_is_no_part_of_the_head(direct_port: int, directly: EchoingDirectly) -> None:
    directly.held = []
    talking = asyncio.create_task(exchange(direct_port, CHUNKED[:-2] + b"Authorization: other\r\n\r\n"))
    await eventually(lambda: directly.held)
    assert [name for name, _ in directly.held[0].head["headers"]] == [b"host", b"transfer-encoding"]
    directly.held[0].answer(WholeAnswer(202, b"ab"))
    directly.held = None
    await talking


async def test_who_drains_ends_the_connection_with_the_answer_to_a_whole_request() -> None:
    listener, draining, stopping = bind("127.0.0.1", 0), asyncio.Event(), asyncio.Event()
    server = asyncio.create_task(
        serve_http(
            app,
            listener,
            ServingOptions(grace=1),
            role="test",
            draining=draining,
            stopping=stopping,
            direct=EchoingDirectly(),
        )
    )
    port = int(listener.getsockname()[1])
    assert WHOLE in await exchange(port, REQUEST + b"\r\nab")
    draining.set()
    answer = await talk(port, REQUEST + b"\r\nab")  # which ends only when the server closes
    assert b"\r\nconnection: close\r\n" in answer
    stopping.set()
    await server


@pytest.mark.parametrize("served", [app, EchoingDirectly()])
async def test_a_connection_on_which_nothing_more_comes_is_closed(
    served: ASGIApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.serving.KEEP_ALIVE_SECONDS", 0.2)
    async with serving(served) as port:
        assert (await talk(port, REQUEST + b"\r\nab")).endswith(b"ab")


LARGE = 20_000_000
"""Bytes of an answer: far more than the system keeps for a reader."""


async def answer_large(_: Scope, __: Receive, send: Send) -> None:
    headers = [(b"content-length", b"%d" % LARGE)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"x" * LARGE})


@pytest.mark.parametrize("requests", [REQUEST + b"\r\nab", (REQUEST + b"\r\nab") * 3, LAST_REQUEST])
async def test_who_reads_no_answer_is_cut_off(requests: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("common.serving.KEEP_ALIVE_SECONDS", 0.2)
    async with serving(answer_large, connections_limit=1) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1_000)
        writer.write(requests)
        await eventually(lambda: is_admitted(port))
        writer.close()


async def is_admitted(port: int) -> bool:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(LAST_REQUEST)
    answer = await reader.read(12)
    writer.close()
    return answer == b"HTTP/1.1 200"


async def test_who_reads_slowly_gets_the_whole_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("common.serving.KEEP_ALIVE_SECONDS", 0.2)
    async with serving(answer_large) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1_000_000)
        writer.write(REQUEST + b"\r\nab")
        got = 0
        while piece := await asyncio.wait_for(reader.read(1_000_000), 10):
            got += len(piece)
            await asyncio.sleep(0.03)
        writer.close()
    assert got > LARGE


def test_a_port_in_use_is_named(unused_tcp_port: int) -> None:
    with bind("127.0.0.1", unused_tcp_port), pytest.raises(PortUnavailableError, match=f"127.0.0.1:{unused_tcp_port}"):
        bind("127.0.0.1", unused_tcp_port)
