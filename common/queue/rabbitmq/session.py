"""One connection with one channel, from the handshake to the loss. It is never mended: the link opens the next one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeAlias

import aio_pika
from aio_pika.abc import AbstractChannel
from yarl import URL

from common.queue.protocol import QueueUnavailableError
from common.queue.rabbitmq.problems import answered_within, describe
from common.queue.rabbitmq.timing import Timing
from common.queue.rabbitmq.transport import CuttableTransport
from common.tls import TlsFiles, create_client_context

HEARTBEAT_SECONDS = 10
"""aiormq gives a connection up after three missed ones."""

Prepare: TypeAlias = Callable[[AbstractChannel], Awaitable[None]]


class Session:
    """A connection, its channel in confirm mode, and whether it is lost. Made by :func:`open_session`."""

    def __init__(self, connection: aio_pika.Connection, transport: CuttableTransport) -> None:
        self.channel: AbstractChannel
        self._connection = connection
        self._transport = transport
        self._lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._spare: AbstractChannel | None = None
        self._borrowing = asyncio.Lock()

    @property
    def why_lost(self) -> str | None:
        """Why the session is over; None while it is not."""
        return self._lost.result() if self._lost.done() else None

    async def open(self, prepare: Prepare) -> None:
        """Connect, open the channel, watch it, and prepare it."""
        await self._connection.connect()
        self.channel = await self._connection.channel(publisher_confirms=True, on_return_raises=True)
        self.channel.close_callbacks.add(lambda _, error: self.drop(describe(error)))
        underlay = await self.channel.get_underlay_channel()
        underlay.on_consumer_cancel_callbacks.add(
            lambda _: self.drop("the broker cancelled a consumer, as it does when the queue is deleted")
        )
        await prepare(self.channel)

    @asynccontextmanager
    async def extra_channel(self, seconds: float) -> AsyncIterator[AbstractChannel]:
        """Open a further channel, within ``seconds``, and close it behind its use."""
        channel = await self._open_channel(seconds)
        try:
            yield channel
        finally:
            await _close_channel(channel, seconds)

    @asynccontextmanager
    async def spare_channel(self, seconds: float) -> AsyncIterator[AbstractChannel]:
        """Give a further channel to one at a time, for requests whose refusal closes it: a new one behind that alone.

        Whatever asks something every few seconds uses this: of each channel that was ever opened, aio-pika 10.2 on
        aiormq 7.2 keeps some kilobytes until the connection ends.
        """
        async with self._borrowing:
            channel, self._spare = self._spare, None
            if channel is None or channel.is_closed:
                channel = await self._open_channel(seconds)
            try:
                yield channel
            except BaseException:
                await _close_channel(channel, seconds)
                raise
            self._spare = channel

    async def _open_channel(self, seconds: float) -> AbstractChannel:
        channel = self._connection.channel(publisher_confirms=False)
        async with answered_within(seconds, "opening a channel"):
            await channel.initialize()
        return channel

    async def blocks_publishers(self) -> bool:
        """Whether the broker has said that it takes no messages for now, because of a memory or disk alarm."""
        transport = self._connection.transport
        try:
            async with asyncio.timeout(0):  # aiormq tells it only by letting those wait who ask whether it is ready
                if transport is not None:
                    await transport.ready()
        except TimeoutError:
            return True
        return False

    def drop(self, why: str) -> None:
        """End the session now: what waits for it fails, and what is unsettled goes back to its queue."""
        if not self._lost.done():
            self._lost.set_result(why)
        self._transport.cut()

    async def wait_lost(self) -> str:
        """Return when the session is over, with the reason."""
        return await asyncio.shield(self._lost)

    async def close(self, seconds: float) -> None:
        """Say goodbye to the broker within ``seconds``, then cut. Never raises, may be called twice."""
        if not self._lost.done():
            self._lost.set_result("closed by this side")
        try:
            with suppress(Exception):  # nothing is left to be done about it
                async with answered_within(seconds, "closing"):
                    await self._connection.close()
        finally:
            self._transport.cut()


async def _close_channel(channel: AbstractChannel, seconds: float) -> None:
    with suppress(QueueUnavailableError):
        async with answered_within(seconds, "closing a channel"):
            await channel.close()


async def open_session(url: URL, *, name: str, prepare: Prepare, timing: Timing, tls: TlsFiles) -> Session:
    """Connect, and prepare the channel. Leaves nothing open when it raises."""
    context = await asyncio.to_thread(create_client_context, tls) if url.scheme == "amqps" else None
    transport = CuttableTransport()
    connection = aio_pika.Connection(
        url.update_query({"heartbeat": str(HEARTBEAT_SECONDS), **url.query}),
        ssl_context=context,
        client_properties={"connection_name": name},
    )
    connection.kwargs["transport_factory"] = transport
    session = Session(connection, transport)
    try:
        async with answered_within(timing.connect_seconds, "connecting"):
            await session.open(prepare)
    except BaseException:
        await session.close(timing.goodbye_seconds)
        raise
    return session
