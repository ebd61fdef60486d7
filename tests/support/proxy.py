"""A TCP proxy that plays a broken network: it stalls, cuts, refuses, and heals."""

import asyncio
from collections import deque
from contextlib import suppress
from typing import Self

from yarl import URL

CHUNK_BYTES = 65_536


class Proxy:
    """Stands between a client and ``url``; ``proxy.url`` is what to give the client.

    With ``others`` it plays a load balancer: connections go to all of them in turn, or to whichever answers.
    """

    def __init__(self, url: str, *others: str) -> None:
        self._targets = deque(URL(target) for target in (url, *others))
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._is_refusing = False
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self.url = url
        self.accepted = 0
        """Connections that were taken so far."""
        self.is_holding = False
        """Whether the black hole has swallowed anything yet."""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = str(self._targets[0].with_host("127.0.0.1").with_port(port))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        await self.cut()

    def blackhole(self) -> None:
        """Take whatever is sent and pass nothing on, in old and new connections: nobody is told that it is lost."""
        self._flowing.clear()
        self.is_holding = False

    def point_at(self, *urls: str) -> None:
        """Connect to these from now on; what is connected stays so."""
        self._targets = deque(URL(target) for target in urls)

    def refuse(self) -> None:
        """Close every new connection at once."""
        self._is_refusing = True

    async def cut(self) -> None:
        """Break all connections."""
        connections = list(self._connections)
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def heal(self) -> None:
        """Let new connections through. Those that were stalled are broken: a real network has forgotten them."""
        if not self._flowing.is_set():
            await self.cut()
        self._flowing.set()
        self._is_refusing = False

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        connection = asyncio.current_task()
        assert connection is not None
        self._connections.add(connection)
        try:
            if not self._is_refusing:
                with suppress(OSError):
                    await self._serve(reader, writer)
        except asyncio.CancelledError:
            pass  # cut: asyncio's server would log it
        finally:
            self._connections.discard(connection)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._flowing.wait()
        there, back = await self._connect()
        try:
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pump(reader, back))
                pumps.create_task(self._pump(there, writer))
        except* OSError:
            pass
        finally:
            back.transport.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to the next target that answers; raises OSError when none does."""
        for _ in range(len(self._targets) - 1):
            self._targets.rotate(-1)
            with suppress(OSError):
                return await asyncio.open_connection(self._targets[0].host, self._targets[0].port or 5672)
        self._targets.rotate(-1)
        return await asyncio.open_connection(self._targets[0].host, self._targets[0].port or 5672)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while chunk := await source.read(CHUNK_BYTES):
            self.is_holding = not self._flowing.is_set()
            await self._flowing.wait()
            sink.write(chunk)
            await sink.drain()
        raise ConnectionResetError("one side closed; this ends the other")
