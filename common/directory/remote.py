"""The directory of a registry elsewhere, asked again and again over HTTP."""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

import structlog

from common.directory.fetching import DirectoryClient, Fetched
from common.directory.model import Directory, Downstream
from common.directory.problems import DirectoryError
from common.directory.served import ServedDirectory, parse_served_directory
from common.metrics import DIRECTORY_DEGRADED

POLL_SECONDS = 2.0
"""A change is in force within 5 s, also when one answer is lost. An unchanged directory costs the registry a 304."""

JITTER = 0.2
"""Part of the interval by which each wait differs, so that processes that started together do not ask together."""

REFRESH_SECONDS = 1.0
"""Least time between two refreshes: a flood of unknown keys must not become a flood of requests."""

SHOWN_IDS = 5

log = structlog.get_logger()


class RemoteDirectory:
    """See :class:`common.directory.source.DirectorySource`. To be used inside ``async with``; opens ``client``.

    Making one reads nothing: a process starts also while the registry is away, and knows nobody until it has answered.
    ``downstream_url`` is where posts go. Nothing is kept on disk, for it would be every token.
    """

    def __init__(
        self,
        client: DirectoryClient,
        *,
        url: str,
        downstream_url: str,
        poll_seconds: float = POLL_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._url = url
        self._downstream_url = downstream_url
        self._poll_seconds = poll_seconds
        self._clock = clock
        self._served = ServedDirectory(Directory(Downstream(downstream_url, posts_per_minute=0), (), ()), left_out=())
        self._degraded: str | None = f"{url} has not answered yet"
        self._etag: str | None = None
        self._first_copy = asyncio.Event()
        self._hurry = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None
        self._next_refresh = clock()

    async def __aenter__(self) -> Self:
        """Open the client."""
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave a request that is under way, and close the client."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait({self._reading})
        await self._client.__aexit__(kind, error, traceback)

    @property
    def current(self) -> Directory:
        """The last good copy; before the first, one that knows nobody."""
        return self._served.directory

    @property
    def is_read(self) -> bool:
        """Whether the registry has answered at least once."""
        return self._first_copy.is_set()

    @property
    def degraded(self) -> str | None:
        """Why the last answer of the registry is not in force as a whole; ``None`` when it is."""
        return self._degraded

    async def wait_until_read(self) -> None:
        """Return once the registry has answered."""
        await self._first_copy.wait()

    def reload(self) -> None:
        """Have :meth:`watch` ask now."""
        self._hurry.set()

    async def refresh(self) -> None:
        """Ask now, at most once a second; those who come meanwhile share one request. Never raises."""
        reading = self._reading
        if self._clock() >= self._next_refresh:
            self._next_refresh = self._clock() + REFRESH_SECONDS
            reading = self._begin_reading()
        if reading is not None:
            await asyncio.wait({reading})  # a waiter that is cancelled leaves the others their answer

    async def watch(self) -> None:
        """Ask again and again until cancelled."""
        while True:
            self._hurry.clear()
            await asyncio.shield(self._begin_reading())
            with contextlib.suppress(TimeoutError):
                wait = self._poll_seconds * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret
                await asyncio.wait_for(self._hurry.wait(), wait)

    def _begin_reading(self) -> asyncio.Task[None]:
        """Give the task that reads; there is one at a time."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
        return self._reading

    async def _read(self) -> None:
        """Ask once. What cannot be used leaves the last good copy, and its tag, in force."""
        before = self._served
        try:
            fetched = await self._client.fetch(self._etag)
            if fetched is not None:
                self._served = await self._parse(fetched)
                self._etag = fetched.etag
                self._first_copy.set()
        except DirectoryError as error:
            self._note(str(error), changed=False)
        else:
            self._note(_explain_left_out(self._served), changed=self._served is not before)

    async def _parse(self, fetched: Fetched) -> ServedDirectory:
        """Read the document beside the loop: 10,000 keys take 200 ms, in which senders wait for their answers."""
        try:
            return await asyncio.to_thread(parse_served_directory, fetched.content, downstream_url=self._downstream_url)
        except DirectoryError as error:
            raise DirectoryError(f"{self._url} answers what is no directory: {error}") from None

    def _note(self, degraded: str | None, *, changed: bool) -> None:
        """Remember and say how it went; what is said already is not said again."""
        before, self._degraded = self._degraded, degraded
        DIRECTORY_DEGRADED.set(degraded is not None)
        counts = {"url": self._url, "networks": len(self.current.networks), "authorizations": len(self.current.keys)}
        if degraded is not None and degraded != before:
            log.warning("directory.refused", problem=degraded, **counts)
        elif changed or (before is not None and degraded is None):
            log.info("directory.reloaded", **counts)


def _explain_left_out(served: ServedDirectory) -> str | None:
    if not served.left_out:
        return None
    shown = ", ".join(served.left_out[:SHOWN_IDS]) + (", …" if len(served.left_out) > SHOWN_IDS else "")
    return f"{len(served.left_out)} networks or keys cannot be read by this version of Sluice; upgrade it: {shown}"
