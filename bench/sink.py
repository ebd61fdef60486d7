"""The downstream of every system that is measured: resolves any serial, takes any post, and knows what arrived when.

It is a bare protocol on httptools and uvloop, so that it is never what is slow: `python -m bench sink` measures it
alone. It runs in the process of the driver, on the same clock as the senders.
"""

import asyncio
import time
from typing import Any, cast

import httptools
import orjson

RESOLVE = b"/integration/network/resolve/"
BULK = b"/data/bulk"


class Sink:
    """What arrived, by mark. ``latency`` is in seconds; with ``bulk`` it offers to take many posts at once."""

    def __init__(self, *, latency: float = 0.0, bulk: bool = False) -> None:
        self.latency = latency
        self.bulk = bulk
        self.moments: dict[int, float] = {}
        """When each mark arrived first, on the monotonic clock."""
        self.duplicates = 0
        self.began: float | None = None
        """When the first request of all came: a worker has started then."""
        self.requests = 0
        self.changed = asyncio.Event()
        self._server: asyncio.Server | None = None

    async def start(self) -> str:
        """Listen, and give the URL."""
        self._server = await asyncio.get_running_loop().create_server(lambda: _Connection(self), "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def stop(self) -> None:
        assert self._server is not None
        self._server.close()

    def clear(self) -> None:
        """Forget what arrived."""
        self.moments.clear()
        self.duplicates = 0
        self.began = None
        self.requests = 0

    @property
    def arrived(self) -> int:
        return len(self.moments)

    async def wait_for(self, count: int, *, within: float) -> None:
        """Return when so many different uplinks have arrived. Raises TimeoutError."""
        async with asyncio.timeout(within):
            while self.arrived < count:
                self.changed.clear()
                await self.changed.wait()

    def take(self, records: list[dict[str, Any]], moment: float) -> None:
        for record in records:
            if record["variable"] == "mark":
                if self.moments.setdefault(int(record["value"]), moment) != moment:
                    self.duplicates += 1
                return

    def answer(self, path: bytes, body: bytes) -> bytes:
        """Give the answer to a request."""
        now = time.monotonic()
        if self.began is None:
            self.began = now
        self.requests += 1
        if path == b"/data":
            self.take(orjson.loads(body), now)
            self.changed.set()
            return _BULK_TAKEN if self.bulk else _TAKEN
        if path == BULK:
            posts = orjson.loads(body)["posts"]
            for post in posts:
                self.take(post["records"], now)
            self.changed.set()
            return _build(b'{"status":true,"result":[%b]}' % b",".join([_ENTRY] * len(posts)), bulk=True)
        if path.startswith(RESOLVE):
            serial = path.removeprefix(RESOLVE).partition(b"/")[0]
            return _build(b'{"status":true,"result":"token-%b"}' % serial, bulk=self.bulk)
        return _build(b'{"status":true,"result":{}}', bulk=self.bulk)


class _Connection(asyncio.Protocol):
    """One connection of a client: requests one after another."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport
        self._path = b""
        self._body: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._body.clear()

    def on_url(self, url: bytes) -> None:
        self._path = url

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        if self._sink.latency:
            asyncio.get_running_loop().call_later(self._sink.latency, self._answer, self._path, body)
        else:
            self._answer(self._path, body)

    def _answer(self, path: bytes, body: bytes) -> None:
        # What a worker that was stopped had posted counts as arrived all the same.
        answer = self._sink.answer(path, body)
        if not self._transport.is_closing():
            self._transport.write(answer)


def _build(body: bytes, *, bulk: bool = False) -> bytes:
    offer = b"Sluice-Bulk: /data/bulk\r\n" if bulk else b""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n%bContent-Length: %d\r\n\r\n"
    return head % (offer, len(body)) + body


_ENTRY = b'{"code":200,"status":true,"result":"7 Data Added"}'
_TAKEN = _build(b'{"status":true,"result":"7 Data Added"}')
_BULK_TAKEN = _build(b'{"status":true,"result":"7 Data Added"}', bulk=True)
