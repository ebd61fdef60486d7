"""Both ways downstream keep to the same rules: over sockets of this machine, and to an app in the same process."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from common.serving import ServingOptions, bind, serve_http
from common.settings import Settings
from workers.answers import TransientError
from workers.http_client import HttpClient, create_client
from workers.network_client import NetworkClient

LIMIT = 1_000


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


@pytest.fixture(params=["over the network", "in process"])
async def way(request: pytest.FixtureRequest, app: App) -> AsyncIterator[tuple[HttpClient, str]]:
    """A client and the URL of the app for it."""
    if request.param == "in process":
        async with create_client(Settings(), httpx.ASGITransport(app)) as client:
            yield client, "http://app"
        return
    async with serving(app) as port, NetworkClient(Settings()) as client:
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


async def test_an_app_in_the_same_process_has_no_more_time() -> None:
    async def never_answer(scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive, send
        await asyncio.Event().wait()

    async with create_client(Settings(downstream_timeout=0.05), httpx.ASGITransport(never_answer)) as client:
        with pytest.raises(TimeoutError):
            await client.exchange("GET", "http://app/info", {}, None, most_bytes=LIMIT)


def test_nothing_else_than_a_transport_leads_to_another_way() -> None:
    assert isinstance(create_client(Settings()), NetworkClient)
