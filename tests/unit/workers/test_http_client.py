"""Both ways downstream keep to the same rules: over sockets of this machine, and to an app in the same process."""

import asyncio
import ssl
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import httpx
import pytest
from pyreqwest.exceptions import PyreqwestError
from starlette.types import ASGIApp, Receive, Scope, Send

from common.serving import ServingOptions, bind, serve_http
from common.settings import Settings
from common.tls import ServerTls, TlsFiles, explain_distrust
from tests.support.certificates import Authority
from workers.answers import TransientError
from workers.http_client import AiohttpClient, HttpClient, create_client
from workers.reqwest_client import ReqwestClient

LIMIT = 1_000

OVER_THE_NETWORK: dict[str, Callable[[Settings], HttpClient]] = {"pyreqwest": ReqwestClient, "aiohttp": AiohttpClient}


class App:
    """Answers as a test says, and keeps what it was asked."""

    def __init__(self) -> None:
        self.status = 200
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b"{}"
        self.asked: list[tuple[str, bytes, dict[str, str], bytes]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = (await receive()).get("body", b"")
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.asked.append((scope["method"], scope["raw_path"], headers, body))
        length = (b"content-length", b"%d" % len(self.body))
        await send({"type": "http.response.start", "status": self.status, "headers": [length, *self.headers]})
        await send({"type": "http.response.body", "body": self.body})


@pytest.fixture
def app() -> App:
    return App()


@asynccontextmanager
async def serving(app: ASGIApp, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve on a free port; give it."""
    listener, stopping = bind("127.0.0.1", 0), asyncio.Event()
    options = ServingOptions(grace=1, tls=tls)
    server = asyncio.create_task(
        serve_http(app, listener, options, role="test", draining=asyncio.Event(), stopping=stopping)
    )
    yield listener.getsockname()[1]
    stopping.set()
    await server


@pytest.fixture(params=["pyreqwest", "aiohttp", "in process"])
async def way(request: pytest.FixtureRequest, app: App) -> AsyncIterator[tuple[HttpClient, str]]:
    """A client and the URL of the app for it."""
    if request.param == "in process":
        async with create_client(Settings(), httpx.ASGITransport(app)) as client:
            yield client, "http://app"
        return
    async with serving(app) as port, OVER_THE_NETWORK[request.param](Settings()) as client:
        yield client, f"http://127.0.0.1:{port}"


async def test_a_request_arrives_as_it_was_made_and_its_answer_comes_back(
    way: tuple[HttpClient, str], app: App
) -> None:
    client, url = way
    app.status, app.headers, app.body = 429, [(b"Retry-After", b"8")], b'{"status": false}'
    sent = {"Device-Token": "device-1", "Content-Type": "application/json"}
    answer = await client.exchange("POST", f"{url}/data", sent, b"[]", most_bytes=LIMIT)
    assert (answer.status, answer.body, answer.headers["retry-after"]) == (429, app.body, "8")
    ((method, path, headers, body),) = app.asked
    assert (method, path, body) == ("POST", b"/data", b"[]")
    assert (headers["device-token"], headers["content-type"]) == ("device-1", "application/json")
    assert headers["accept-encoding"] == "identity"


async def test_what_is_encoded_in_a_path_stays_as_it_is(way: tuple[HttpClient, str], app: App) -> None:
    client, url = way
    await client.exchange("GET", f"{url}/resolve/a%2Fb%20%3F/%C3%A4", {}, None, most_bytes=LIMIT)
    assert app.asked[0][1] == b"/resolve/a%2Fb%20%3F/%C3%A4"


async def test_no_redirect_is_followed(way: tuple[HttpClient, str], app: App) -> None:
    client, url = way
    app.status, app.headers = 302, [(b"Location", b"/elsewhere")]
    assert (await client.exchange("GET", f"{url}/info", {}, None, most_bytes=LIMIT)).status == 302
    assert len(app.asked) == 1


async def test_no_cookie_is_kept(way: tuple[HttpClient, str], app: App) -> None:
    client, url = way
    app.headers = [(b"Set-Cookie", b"session=1; Path=/")]
    for _ in range(2):
        await client.exchange("GET", f"{url}/info", {}, None, most_bytes=LIMIT)
    assert ["cookie" in headers for _, _, headers, _ in app.asked] == [False, False]


async def test_an_answer_that_does_not_end_is_given_up(way: tuple[HttpClient, str], app: App) -> None:
    client, url = way
    app.body = b" " * (LIMIT + 1)
    with pytest.raises(TransientError, match="200 with more than 1000 bytes"):
        await client.exchange("GET", f"{url}/info", {}, None, most_bytes=LIMIT)


async def test_an_answer_in_a_coding_is_not_unfolded(way: tuple[HttpClient, str], app: App) -> None:
    client, url = way
    app.headers = [(b"Content-Encoding", b"gzip")]
    with pytest.raises(TransientError, match="in a coding that was not asked for"):
        await client.exchange("GET", f"{url}/info", {}, None, most_bytes=LIMIT)


@pytest.mark.parametrize("beginning", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{"], ids=["nothing", "half"])
@pytest.mark.parametrize("library", OVER_THE_NETWORK)
async def test_an_answer_that_is_not_whole_in_time_is_given_up(library: str, beginning: bytes) -> None:
    released = asyncio.Event()

    async def answer_in_part(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(beginning)
        await released.wait()
        writer.close()

    server = await asyncio.start_server(answer_in_part, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, OVER_THE_NETWORK[library](Settings(downstream_timeout=0.2)) as client:
        with pytest.raises(TimeoutError):
            await client.exchange("GET", f"http://127.0.0.1:{port}/info", {}, None, most_bytes=LIMIT)
        released.set()


async def test_an_app_in_the_same_process_has_no_more_time() -> None:
    async def never_answer(scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive, send
        await asyncio.Event().wait()

    async with create_client(Settings(downstream_timeout=0.05), httpx.ASGITransport(never_answer)) as client:
        with pytest.raises(TimeoutError):
            await client.exchange("GET", "http://app/info", {}, None, most_bytes=LIMIT)


@pytest.mark.parametrize("library", OVER_THE_NETWORK)
async def test_nothing_is_repeated_when_a_server_ends_the_connection_without_an_answer(library: str) -> None:
    """Also not by the library: whoever asks decides that."""
    requests = 0

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        await reader.readuntil(b"\r\n\r\n")
        requests += 1
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, OVER_THE_NETWORK[library](Settings()) as client:
        with pytest.raises((aiohttp.ClientError, PyreqwestError)):
            await client.exchange("POST", f"http://127.0.0.1:{port}/data", {}, b"[]", most_bytes=LIMIT)
    assert requests == 1


def test_without_the_faster_library_the_other_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(create_client(Settings()), ReqwestClient)
    monkeypatch.delitem(sys.modules, "workers.reqwest_client")
    monkeypatch.setitem(sys.modules, "pyreqwest.client", None)
    assert isinstance(create_client(Settings()), AiohttpClient)


@pytest.mark.parametrize("library", OVER_THE_NETWORK)
async def test_a_certificate_that_nobody_vouches_for_is_named_and_one_of_the_authorities_is_trusted(
    library: str, app: App, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("downstream")
    async with serving(app, ServerTls(TlsFiles(pair.certificate, pair.key)).context) as port:
        url = f"https://127.0.0.1:{port}/info"
        async with OVER_THE_NETWORK[library](Settings()) as client:
            with pytest.raises(Exception) as refused:  # noqa: PT011 - whose error it is, is the library's matter
                await client.exchange("GET", url, {}, None, most_bytes=LIMIT)
            assert "certificate is not trusted" in (explain_distrust(refused.value) or str(refused.value))
        async with OVER_THE_NETWORK[library](Settings(tls_ca=authority.path)) as client:
            assert (await client.exchange("GET", url, {}, None, most_bytes=LIMIT)).status == 200


@pytest.mark.parametrize("library", OVER_THE_NETWORK)
async def test_a_connection_is_used_again(library: str) -> None:
    connections = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        for _ in range(3):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/info"
    async with server, OVER_THE_NETWORK[library](Settings()) as client:
        for _ in range(3):
            assert (await client.exchange("GET", url, {}, None, most_bytes=LIMIT)).body == b"{}"
    assert connections == 1
