"""The bytes beneath a connection, so that a connection can be cut when it cannot be closed."""

import asyncio
from typing import Any

from aiormq.connection import TCPTransportFactory, TLSTransportFactory
from yarl import URL


class CuttableTransport:
    """Opens the socket of one connection, and keeps hold of it: a transport factory in the sense of aiormq.

    Closing waits until the peer has taken what was written. A peer that has vanished or blocks publishers never does,
    so closing alone would leave a socket behind with every reconnection.
    """

    def __init__(self) -> None:
        self._writer: asyncio.StreamWriter | None = None

    async def create(self, url: URL, **kwargs: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect; called by aiormq."""
        factory = TLSTransportFactory() if url.scheme == "amqps" else TCPTransportFactory()
        reader, self._writer = await factory.create(url, **kwargs)
        return reader, self._writer

    def cut(self) -> None:
        """Close the socket at once, whatever is still to be sent. Does nothing when it is closed already."""
        if self._writer is not None:
            self._writer.transport.abort()
