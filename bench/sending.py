"""The senders in front of a system: as fast as it goes, at a given rate, or as much as it delivers."""

import asyncio
import itertools
import time
from collections.abc import Iterator, Sequence
from http import HTTPStatus

import aiohttp

from bench.sink import Sink
from bench.uplinks import AUTHORIZATION, BATCH, DEVICES, create_batch

SENDERS = 64

IDLE_SECONDS = 2
"""Of a connection, before it is closed: a server that closes it sooner would do that while it is used."""


def open_session() -> aiohttp.ClientSession:
    """Give what the senders share."""
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(keepalive_timeout=IDLE_SECONDS))


class Senders:
    """Sends batches of uplinks to the ingests in turn; each uplink has a mark of its own."""

    def __init__(
        self,
        ingests: Sequence[str],
        session: aiohttp.ClientSession,
        *,
        authorization: str = AUTHORIZATION,
        devices: int = DEVICES,
    ) -> None:
        self._headers = {"Content-Type": "application/json", "Authorization": authorization}
        self._devices = devices
        self._urls: Iterator[str] = itertools.cycle([f"{ingest}/uplink" for ingest in ingests])
        self._session = session
        self.sent = 0
        """Uplinks, and the next mark."""
        self.accepted: dict[int, float] = {}
        """When the request with each first mark was answered."""

    async def send(self, uplinks: int, *, batch: int = BATCH) -> None:
        """Send so many uplinks as fast as 64 senders can."""
        starts = iter(range(self.sent, self.sent + uplinks, batch))
        self.sent += uplinks

        async def send() -> None:
            for first in starts:
                await self._post(first, batch)

        await asyncio.gather(*(send() for _ in range(SENDERS)))

    async def send_as_delivered(self, sink: Sink, stopping: asyncio.Event, *, ahead: int) -> None:
        """Send until ``stopping`` is set, and never have more than ``ahead`` uplinks on their way."""

        async def send() -> None:
            while not stopping.is_set():
                if self.sent - sink.arrived >= ahead:
                    sink.changed.clear()
                    await sink.changed.wait()
                    continue
                first = self.sent
                self.sent += BATCH
                await self._post(first, BATCH)

        await asyncio.gather(*(send() for _ in range(SENDERS)))

    async def send_paced(self, *, rate: float, seconds: float) -> None:
        """Send evenly at so many uplinks a second, whether or not earlier requests have been answered."""
        began = time.monotonic()
        async with asyncio.TaskGroup() as posting:
            for number in range(int(rate * seconds / BATCH)):
                if (wait := began + number * BATCH / rate - time.monotonic()) > 0:
                    await asyncio.sleep(wait)
                posting.create_task(self._post(self.sent, BATCH))
                self.sent += BATCH

    async def _post(self, first: int, batch: int) -> None:
        """Send until it is accepted: a broker that is held up by the disk for two seconds is what 503 is for."""
        body = create_batch(first, batch, devices=self._devices)
        while True:
            async with self._session.post(next(self._urls), data=body, headers=self._headers) as response:
                answer = await response.read()
            if response.status != HTTPStatus.SERVICE_UNAVAILABLE:
                break
            await asyncio.sleep(float(response.headers.get("Retry-After", 1)))
        assert response.status in {200, 202}, f"{response.status} {answer!r}"
        self.accepted[first] = time.monotonic()
