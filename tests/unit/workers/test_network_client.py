"""Over sockets of this machine, to servers that answer with the bytes that a test says."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import pytest

from common.settings import Settings
from common.tls import ServerTls, TlsFiles
from tests.support.certificates import Authority
from tests.support.waiting import eventually
from workers.answers import Answer, TransientError
from workers.connection import HEAD_BYTES, Connection
from workers.network_client import NetworkClient

LIMIT = 1_000

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

Behave: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """Behaves on each connection as a test says, and closes it behind that."""

    def __init__(self, behave: Behave) -> None:
        self._behave = behave
        self.connections = 0
        self.ended = asyncio.Event()
        """Whether the other side has ended a connection that this one left open."""

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self._behave(reader, writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            self.ended.set()
        finally:
            writer.close()


@asynccontextmanager
async def serving(behave: Behave, tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[Server, str]]:
    """Serve on a free port; gives the server and the URL of a path of it."""
    server = Server(behave)
    listening = await asyncio.start_server(server.take, "127.0.0.1", 0, ssl=tls)
    async with listening:
        scheme = "http" if tls is None else "https"
        yield server, f"{scheme}://127.0.0.1:{listening.sockets[0].getsockname()[1]}/data"


def saying(*answers: bytes, then_close: bool = False) -> Behave:
    """Answer one request after another, each answer in a segment of its own, then wait for the other side to end."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
        if not then_close:
            await reader.readuntil(b"\r\n\r\n")

    return behave


def idle_of(client: NetworkClient) -> list[Connection]:
    """Give what the next request might travel on."""
    return [idle for origin in client._origins.values() for idle in origin.idle if idle.is_free]


async def ask(client: NetworkClient, url: str) -> Answer:
    return await client.exchange("GET", url, {}, None, most_bytes=LIMIT)


@pytest.mark.parametrize(
    ("sent", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1;x=y\r\n}\r\n0\r\nX-Late: 1\r\n\r\n", b"{}"),
        (b"HTTP/1.1 200 OK\r\n\r\n{}", b"{}"),
        (b"HTTP/1.0 200 OK\r\n\r\n{}", b"{}"),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}", b"{}"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK, b"{}"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    ],
    ids=["chunked", "until the end", "HTTP/1.0", "close", "empty", "informational", "no content"],
)
async def test_an_answer_is_read_however_it_is_framed_and_cut(sent: bytes, body: bytes) -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(sent[:cut])
        await writer.drain()
        writer.write(sent[cut:])

    async with serving(behave) as (_, url), NetworkClient(Settings()) as client:
        for cut in range(1, len(sent)):  # noqa: B007 - the server reads it
            answer = await ask(client, url)
            assert (answer.status, answer.body) == (204 if b"204" in sent else 200, body)
            assert "x-late" not in answer.headers
            assert "link" not in answer.headers
            await eventually(lambda: not idle_of(client), poll=0)


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (b"", "the connection ended before the answer did"),
        (OK[:-1], "the connection ended before the answer did"),
        (CHUNKED + b"2\r\n{}\r\n", "the connection ended before the answer did"),
        (
            CHUNKED.replace(b"chunked", b"gzip\r\nTransfer-Encoding: chunked") + b"3\r\n{}",
            "the connection ended before",
        ),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "the answer is not HTTP/1.1"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", "the answer is not HTTP/1.1"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n{}", "the answer is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * HEAD_BYTES, "headers have more than 65536 bytes"),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n" * 10_000, "headers have more than 65536 bytes"),
        (CHUNKED + b"2\r\n{}\r\n0\r\nX: " + b"x" * 1_000_000, "headers have more than 65536 bytes"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", "200 in a coding that was not asked for"),
        (b"HTTP/1.1 502 Bad\r\nContent-Length: 1001\r\n\r\n" + b" " * 1001, "502 with more than 1000 bytes"),
    ],
    ids=[
        *["nothing", "short", "chunks", "two codings", "SSH", "two lengths", "upgrade"],
        *["head", "informational", "trailer", "coding", "large"],
    ],
)
async def test_what_is_no_answer_of_the_api_says_why_and_its_connection_is_not_used_again(
    sent: bytes, why: str
) -> None:
    async with serving(saying(sent, then_close=True)) as (server, url), NetworkClient(Settings()) as client:
        for _ in range(2):
            with pytest.raises(TransientError, match=why):
                await ask(client, url)
    assert server.connections == 2


async def test_a_body_of_very_many_parts_costs_no_more_than_its_bytes() -> None:
    count = 1_000_000
    async with (
        serving(saying(CHUNKED + b"1\r\nx\r\n" * count + b"0\r\n\r\n")) as (_, url),
        NetworkClient(Settings(downstream_timeout=5)) as client,  # three times as long where each part copies the rest
    ):
        assert (await client.exchange("GET", url, {}, None, most_bytes=count)).body == b"x" * count


@pytest.mark.parametrize("length", [b"Content-Length: 2\r\n", b""], ids=["with its length", "until the end"])
async def test_an_answer_may_come_before_the_request_was_taken(length: bytes) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\n" + length + b"\r\n{}")
        if not length:
            writer.write_eof()
        await answered.wait()

    answered = asyncio.Event()
    body = b" " * 50_000_000  # more than the sockets hold
    async with serving(refuse) as (_, url), NetworkClient(Settings()) as client:
        assert (await client.exchange("POST", url, {}, body, most_bytes=LIMIT)).status == 413
        assert not idle_of(client)
        answered.set()


async def test_a_connection_is_used_again() -> None:
    async with serving(saying(OK, OK, OK)) as (server, url), NetworkClient(Settings()) as client:
        for _ in range(3):
            assert (await ask(client, url)).body == b"{}"
    assert server.connections == 1


async def test_requests_at_the_same_time_have_connections_of_their_own() -> None:
    async with serving(saying(OK, OK)) as (server, url), NetworkClient(Settings()) as client:
        await asyncio.gather(*(ask(client, url) for _ in range(5)))
        await asyncio.gather(*(ask(client, url) for _ in range(5)))
    assert server.connections == 5


async def test_a_connection_that_the_other_side_ended_is_not_used_again() -> None:
    async with serving(saying(OK, then_close=True)) as (server, url), NetworkClient(Settings()) as client:
        for number in range(1, 4):
            assert (await ask(client, url)).body == b"{}"
            await eventually(lambda: not idle_of(client))
            assert server.connections == number


async def test_a_connection_that_is_just_being_ended_is_not_used_again() -> None:
    """Between the other side's end and the event loop's word that it is lost, other exchanges may begin."""
    async with serving(saying(OK, then_close=True)) as (server, url), NetworkClient(Settings()) as client:
        await ask(client, url)
        (idle,) = idle_of(client)
        await eventually(idle._transport.is_closing, poll=0)
        assert (await ask(client, url)).body == b"{}"
    assert server.connections == 2


@pytest.mark.parametrize("more", [OK, b"HTTP/1.1 2", b"HTTP/1.1 408 Timeout\r\nConnection: close\r\n\r\n"])
@pytest.mark.parametrize("apart", [False, True])
async def test_what_nobody_asked_for_is_no_answer_to_the_next_request(more: bytes, *, apart: bool) -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK if apart else OK + more)
        await writer.drain()
        if apart:
            await answered.wait()
            writer.write(more)
        await reader.read()

    answered = asyncio.Event()
    async with serving(behave) as (server, url), NetworkClient(Settings()) as client:
        await ask(client, url)
        answered.set()
        await eventually(lambda: not idle_of(client))
        await ask(client, url)
    assert server.connections == 2


@pytest.mark.parametrize("beginning", [b"", OK[:-1]], ids=["nothing", "half"])
async def test_an_answer_that_is_not_whole_in_time_is_given_up_with_its_connection(beginning: bytes) -> None:
    async with (
        serving(saying(beginning)) as (server, url),
        NetworkClient(Settings(downstream_timeout=0.2)) as client,
    ):
        with pytest.raises(TimeoutError):
            await ask(client, url)
        await asyncio.wait_for(server.ended.wait(), 5)


async def test_who_waits_no_longer_ends_the_connection() -> None:
    async with serving(saying(b"")) as (server, url), NetworkClient(Settings()) as client:
        asking = asyncio.create_task(ask(client, url))
        await eventually(lambda: server.connections == 1)
        asking.cancel()
        await asyncio.wait_for(server.ended.wait(), 5)


async def test_idle_connections_are_closed_with_the_client() -> None:
    async with serving(saying(OK)) as (server, url):
        async with NetworkClient(Settings()) as client:
            await ask(client, url)
        await asyncio.wait_for(server.ended.wait(), 5)


async def test_a_connection_that_nothing_travelled_on_for_long_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.network_client.KEEP_ALIVE_SECONDS", 0.05)
    async with serving(saying(OK)) as (server, url), NetworkClient(Settings()) as client:
        await ask(client, url)
        await asyncio.wait_for(server.ended.wait(), 5)


async def test_nothing_is_repeated_when_a_server_ends_the_connection_without_an_answer() -> None:
    """Also not by the client: whoever asks decides that."""
    async with serving(saying(b"", then_close=True)) as (server, url), NetworkClient(Settings()) as client:
        with pytest.raises(TransientError, match="the connection ended"):
            await client.exchange("POST", url, {}, b"[]", most_bytes=LIMIT)
    assert server.connections == 1


async def test_no_connection_says_where_to_and_why(unused_tcp_port: int) -> None:
    async with NetworkClient(Settings()) as client:
        with pytest.raises(TransientError, match=rf"no connection to 127.0.0.1 port {unused_tcp_port}: .*refused"):
            await ask(client, f"http://127.0.0.1:{unused_tcp_port}/data")
        with pytest.raises(TransientError, match=r"no connection to nowhere\.invalid port 443: "):
            await ask(client, "https://nowhere.invalid/data")


async def test_a_header_that_would_begin_another_is_not_sent() -> None:
    async with serving(saying(OK)) as (server, url), NetworkClient(Settings()) as client:
        for headers in ({"A": "1\r\nB: 2"}, {"A": "1\nB: 2"}, {"A\r\n": "1"}, {"A": "1\r"}):
            with pytest.raises(ValueError, match="line break"):
                await client.exchange("GET", url, headers, None, most_bytes=LIMIT)
        with pytest.raises(ValueError, match="a space"):
            await client.exchange("GET", f"{url} HTTP/1.1", {}, None, most_bytes=LIMIT)
    assert server.connections == 0


async def test_a_certificate_that_nobody_vouches_for_is_named_and_one_of_the_authorities_is_trusted(
    tmp_path: Path,
) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("downstream")
    tls = ServerTls(TlsFiles(pair.certificate, pair.key)).context
    async with serving(saying(OK, OK), tls) as (server, url):
        async with NetworkClient(Settings()) as client:
            with pytest.raises(TransientError, match=r"certificate is not trusted.*SLUICE_TLS_CA"):
                await ask(client, url)
        async with NetworkClient(Settings(tls_ca=authority.path)) as client:
            before = server.connections
            for _ in range(2):
                assert (await ask(client, url)).status == 200
            assert server.connections == before + 1


async def test_the_certificate_must_be_the_one_of_the_host(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("elsewhere", "elsewhere.example")
    tls = ServerTls(TlsFiles(pair.certificate, pair.key)).context
    async with serving(saying(OK), tls) as (_, url), NetworkClient(Settings(tls_ca=authority.path)) as client:
        with pytest.raises(TransientError, match=r"certificate is not trusted.*IP address mismatch"):
            await ask(client, url)


async def test_an_answer_until_the_end_of_a_connection_needs_no_word_of_tls_for_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was cut off there is no JSON, so nothing is taken for a whole answer that is none."""

    class Noting(Connection):
        def on_body(self, body: bytes) -> None:
            super().on_body(body)
            read.set()

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n{}")
        await read.wait()
        writer.transport.abort()

    read = asyncio.Event()
    monkeypatch.setattr("workers.network_client.Connection", Noting)
    authority = Authority(tmp_path)
    pair = authority.issue("downstream")
    tls = ServerTls(TlsFiles(pair.certificate, pair.key)).context
    async with serving(behave, tls) as (_, url), NetworkClient(Settings(tls_ca=authority.path)) as client:
        assert (await ask(client, url)).body == b"{}"
