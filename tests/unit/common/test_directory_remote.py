"""The directory of a registry elsewhere."""

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import orjson
import pytest
from pydantic import SecretStr
from structlog.typing import EventDict

from common.directory.fetching import DirectoryClient
from common.directory.remote import REFRESH_SECONDS, RemoteDirectory
from tests.support.waiting import eventually

pytestmark = pytest.mark.usefixtures("gauge")

URL = "http://registry:8081"
TOKEN = "directory-secret"

Look = Callable[[], Awaitable[None]]


def write(*keys: str, **more: object) -> bytes:
    table = {"network": "n1", "profile": "p1"}
    return orjson.dumps(
        {
            "version": 1,
            "networks": {"n1": {"token": "n-secret"}},
            "authorizations": {key: {"token": f"at-secret-{key}", **table, **more} for key in keys},
        }
    )


class Registry:
    """Serves ``content`` under a tag that changes with it, or answers with ``broken`` in its place."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.broken: httpx.Response | Exception | None = None
        self.requests: list[httpx.Request] = []
        self.statuses: list[int] = []
        self.open = asyncio.Event()
        self.open.set()

    async def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        await self.open.wait()
        if isinstance(self.broken, Exception):
            raise self.broken
        response = self.broken or self._serve(request)
        self.statuses.append(response.status_code)
        return response

    def _serve(self, request: httpx.Request) -> httpx.Response:
        etag = f'"{hash(self.content)}"'
        if request.headers.get("If-None-Match") == etag:
            return httpx.Response(304, headers={"ETag": etag})
        return httpx.Response(200, content=self.content, headers={"ETag": etag})


class Clock:
    """A clock that a test turns by hand."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def registry() -> Registry:
    return Registry(write("first"))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def source(registry: Registry, clock: Clock) -> AsyncIterator[RemoteDirectory]:
    client = DirectoryClient(URL, SecretStr(TOKEN), transport=httpx.MockTransport(registry.answer))
    async with RemoteDirectory(client, url=URL, downstream_url=URL, poll_seconds=0.005, clock=clock) as source:
        yield source


@pytest.fixture
def look(source: RemoteDirectory, clock: Clock) -> Look:
    """Have the source ask once."""

    async def look() -> None:
        clock.seconds += REFRESH_SECONDS
        await source.refresh()

    return look


@asynccontextmanager
async def watching(source: RemoteDirectory) -> AsyncIterator[None]:
    watch = asyncio.create_task(source.watch())
    yield
    watch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watch


def ids(source: RemoteDirectory) -> list[str]:
    return [key.id for key in source.current.keys]


async def test_before_the_first_answer_it_knows_nobody_and_says_so(source: RemoteDirectory) -> None:
    assert (source.is_read, ids(source)) == (False, [])
    assert source.current.downstream.url == URL
    assert source.degraded == f"{URL} has not answered yet"


async def test_it_asks_with_its_token_and_takes_what_it_is_given(source: RemoteDirectory, registry: Registry) -> None:
    await source.refresh()
    assert (source.is_read, ids(source), source.degraded) == (True, ["first"], None)
    (request,) = registry.requests
    assert (str(request.url), request.headers["Authorization"]) == (f"{URL}/directory", TOKEN)


async def test_it_asks_only_for_what_has_changed(source: RemoteDirectory, registry: Registry, look: Look) -> None:
    await look()
    current = source.current
    await look()
    assert source.current is current
    registry.content = write("first", "second")
    await look()
    assert ids(source) == ["first", "second"]
    assert registry.statuses == [200, 304, 200]


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        (httpx.ConnectError("away"), "does not answer: ConnectError"),
        (httpx.ReadTimeout("slow"), "does not answer: ReadTimeout"),
        (ValueError("at-secret"), "does not answer: ValueError"),
        (httpx.Response(401, json={"status": False, "message": TOKEN}), "refuses SLUICE_DIRECTORY_TOKEN: set the same"),
        (httpx.Response(403), "has no SLUICE_DIRECTORY_TOKEN: set it there"),
        (httpx.Response(404), "answers 404: is there a registry at this URL?"),
        (httpx.Response(302, headers={"Location": "http://elsewhere/"}), "answers 302"),
        (httpx.Response(500), "answers 500: its log says more"),
        (httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(b"?")), "not asked for"),
        (httpx.Response(200, content=b"<html>at-secret</html>"), "answers what is no directory: the document"),
        (httpx.Response(200, content=write("a").replace(b'"version":1', b'"version":2')), "no directory: version"),
    ],
)
async def test_the_last_good_copy_serves_while_the_registry_is_away_or_answers_rubbish(
    *,
    source: RemoteDirectory,
    registry: Registry,
    look: Look,
    gauge: Callable[[], float | None],
    logs: list[EventDict],
    broken: httpx.Response | Exception,
    problem: str,
) -> None:
    await look()
    good = source.current
    registry.broken = broken
    registry.content = write("second")
    for _ in range(3):
        await look()
    assert source.current is good
    assert source.degraded is not None
    assert source.degraded.startswith(URL)
    assert problem in source.degraded
    assert gauge() == 1
    assert [line["event"] for line in logs] == ["directory.reloaded", "directory.refused"], "said once"
    assert "secret" not in repr(logs)
    registry.broken = None
    await look()
    assert (gauge(), ids(source)) == (0, ["second"])
    assert logs[-1]["event"] == "directory.reloaded"


async def test_a_registry_that_is_back_unchanged_ends_the_degradation(
    source: RemoteDirectory, registry: Registry, look: Look, logs: list[EventDict]
) -> None:
    await look()
    registry.broken = httpx.ConnectError("away")
    await look()
    registry.broken = None
    await look()
    assert source.degraded is None
    assert registry.statuses == [200, 304]
    assert [line["event"] for line in logs] == ["directory.reloaded", "directory.refused", "directory.reloaded"]


async def test_a_key_that_this_version_cannot_read_is_named_also_while_nothing_changes(
    source: RemoteDirectory, registry: Registry, look: Look
) -> None:
    registry.content = write("future", additional_parameters="preset=future")
    for _ in range(2):
        await look()
    assert source.is_read
    assert source.degraded is not None
    assert "1 networks or keys cannot be read by this version of Sluice; upgrade it: future" in source.degraded


async def test_those_who_refresh_meanwhile_share_one_request_and_one_that_is_cancelled_does_not_end_it(
    source: RemoteDirectory, registry: Registry
) -> None:
    registry.open.clear()
    waiters = [asyncio.create_task(source.refresh()) for _ in range(5)]
    await eventually(lambda: registry.requests)
    waiters[0].cancel()
    registry.open.set()
    await asyncio.wait(waiters)
    assert (ids(source), len(registry.requests)) == (["first"], 1)


async def test_a_refresh_asks_at_most_once_a_second(source: RemoteDirectory, registry: Registry, clock: Clock) -> None:
    await source.refresh()
    clock.seconds += REFRESH_SECONDS * 0.99
    await source.refresh()
    assert len(registry.requests) == 1
    clock.seconds += REFRESH_SECONDS * 0.02
    await source.refresh()
    assert len(registry.requests) == 2


async def test_the_watch_waits_for_the_registry_and_follows_it(
    source: RemoteDirectory, registry: Registry, logs: list[EventDict]
) -> None:
    registry.broken = httpx.ConnectError("away")
    async with watching(source):
        await eventually(lambda: len(registry.requests) > 3)
        assert not source.is_read
        registry.broken = None
        async with asyncio.timeout(5):
            await source.wait_until_read()
        registry.content = write("second")
        await eventually(lambda: ids(source) == ["second"])
    assert [line["event"] for line in logs] == ["directory.refused", "directory.reloaded", "directory.reloaded"]


async def test_a_reload_has_the_watch_ask_at_once(registry: Registry) -> None:
    client = DirectoryClient(URL, SecretStr(TOKEN), transport=httpx.MockTransport(registry.answer))
    async with RemoteDirectory(client, url=URL, downstream_url=URL, poll_seconds=3_600) as source, watching(source):
        await source.wait_until_read()
        registry.content = write("second")
        source.reload()
        await eventually(lambda: ids(source) == ["second"])


async def test_closing_does_not_wait_for_a_registry_that_hangs(registry: Registry) -> None:
    client = DirectoryClient(URL, SecretStr(TOKEN), transport=httpx.MockTransport(registry.answer))
    registry.open.clear()
    async with asyncio.timeout(5), RemoteDirectory(client, url=URL, downstream_url=URL) as source, watching(source):
        await eventually(lambda: registry.requests)
    assert not source.is_read


async def test_an_answer_without_end_is_left(
    source: RemoteDirectory, registry: Registry, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.directory.fetching.ANSWER_BYTES", 100)
    registry.content = b" " * 101
    await look()
    assert source.degraded == f"{URL} answers more than 100 bytes, which is no directory"


@pytest.mark.usefixtures("uncollected")
async def test_a_directory_that_stays_the_same_costs_no_new_connection_and_no_memory() -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError), contextlib.closing(writer):
            while request := await reader.readuntil(b"\r\n\r\n"):
                if b"If-None-Match" in request:
                    writer.write(b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\n\r\n')
                else:
                    writer.write(b'HTTP/1.1 200 OK\r\nETag: "1"\r\nContent-Length: 2\r\n\r\n{}')

    before = count_answers()
    async with await asyncio.start_server(serve, "127.0.0.1") as server:
        port = server.sockets[0].getsockname()[1]
        async with DirectoryClient(f"http://127.0.0.1:{port}", SecretStr(TOKEN)) as client:
            assert await client.fetch(None) is not None
            for _ in range(3):
                assert await client.fetch('"1"') is None
        assert connections == 1
    assert count_answers() == before


def count_answers() -> int:
    """Of all that are in memory."""
    return sum(isinstance(each, httpx.Response) for each in gc.get_objects())
