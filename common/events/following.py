"""Watching processes over HTTP: their server-sent events, through every reconnection."""

import asyncio
import math
import ssl
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import httpx
import orjson
from pydantic import SecretStr

from common.events import streaming
from common.events.announcement import Announcement, announcement_to_document
from common.events.engine import FORGOTTEN, EventTiming, Missed, Sampled, Seen
from common.events.event import EventUnreadableError, decode_event
from common.events.sampling import Samples, is_sampled
from common.events.viewing import gathered

CONNECT_SECONDS = 5.0
PAUSE_SECONDS = 1.0
"""Between two tries to reach a process that does not answer, or that refuses."""

CONFLICT = 409


@asynccontextmanager
async def follow(
    urls: Sequence[str],
    announcement: Announcement,
    token: SecretStr,
    *,
    tls: ssl.SSLContext | None = None,
    timing: EventTiming | None = None,
) -> AsyncIterator[AsyncIterator[Seen]]:
    """Watch the processes at these URLs, as long as the context lasts.

    No redirects and no environment's proxies: the token is for these processes alone.
    """
    forget_seconds, samples = (timing or EventTiming()).forget_seconds, Samples()
    async with (
        httpx.AsyncClient(
            verify=True if tls is None else tls,
            headers={"Authorization": token.get_secret_value(), "Accept-Encoding": "identity"},
            timeout=httpx.Timeout(CONNECT_SECONDS, read=forget_seconds),
            limits=httpx.Limits(max_connections=None),
            follow_redirects=False,
            trust_env=False,
        ) as client,
        gathered(*(_Follower(client, url, announcement, forget_seconds, samples).run for url in urls)) as seen,
    ):
        yield seen


class _Follower:
    """Reads one stream of one process after the other."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        url: str,
        announcement: Announcement,
        forget_seconds: float,
        samples: Samples,
    ) -> None:
        self._client = client
        self._url = url
        self._parameters = {
            name: str(value).lower() if isinstance(value, bool) else value
            for name, value in announcement_to_document(announcement).items()
            if value is not None
        }
        self._samples = samples
        self._forget_seconds = forget_seconds
        self._last_stream = math.inf
        self._last_why: str | None = None

    async def run(self, seen: "asyncio.Queue[Seen]") -> None:
        """Follow until cancelled."""
        while True:
            try:
                await self._read_stream(seen)
            except httpx.HTTPError as error:
                await self._say(seen, f"{self._url} does not answer: {type(error).__name__}")
                await asyncio.sleep(PAUSE_SECONDS)

    async def _read_stream(self, seen: "asyncio.Queue[Seen]") -> None:
        async with self._client.stream("GET", self._url + streaming.PATH, params=self._parameters) as answer:
            if answer.status_code == httpx.codes.OK:
                await self._note_stream(seen)
                await self._read_events(answer, seen)
                return
            if answer.status_code != CONFLICT:  # that one: another URL leads to the same process
                await self._say(seen, f"{self._url} {_explain(answer.status_code)}")
        await asyncio.sleep(PAUSE_SECONDS)

    async def _read_events(self, answer: httpx.Response, seen: "asyncio.Queue[Seen]") -> None:
        name = ""
        async for line in answer.aiter_lines():
            field, _, value = line.partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                if (each := self._read_data(name, value)) is not None:
                    await seen.put(each)
            elif not line:  # the end of one server-sent event
                name = ""

    def _read_data(self, name: str, data: str) -> Seen | None:
        """Give what a server-sent event says that is news to this viewer."""
        try:
            match name:
                case streaming.MISSED:
                    return Missed("they came too fast", int(orjson.loads(data)["events"]))
                case streaming.SAMPLED:
                    changed = self._samples.note(self._url, int(orjson.loads(data)["one_in"]))
                    return Sampled(self._samples.one_in) if changed else None
                case _:
                    event = decode_event(data)
                    return event if is_sampled(event, self._samples.one_in) else None
        except (EventUnreadableError, ValueError, TypeError, KeyError) as error:
            return Missed(str(error), 1)

    async def _note_stream(self, seen: "asyncio.Queue[Seen]") -> None:
        """Note that the process hears this viewer, perhaps after it had forgotten it."""
        now = time.monotonic()
        if self._last_why is None and now - self._last_stream > self._forget_seconds:
            await seen.put(FORGOTTEN)
        self._last_stream, self._last_why = now, None

    async def _say(self, seen: "asyncio.Queue[Seen]", why: str) -> None:
        """Tell why nothing is seen of this process, once for each reason."""
        if why != self._last_why:
            self._last_why = why
            await seen.put(Missed(why))


def _explain(status: int) -> str:
    match status:
        case 401:
            return "refuses SLUICE_DIRECTORY_TOKEN: set the same value here and there"
        case 403:
            return "has no SLUICE_DIRECTORY_TOKEN, and cannot read the token beside the queue: set it, here and there"
        case 404:
            return "serves no events: is its queue in a file, and its version this one?"
        case 503:
            return "is stopping, or has too many viewers"
        case _:
            return f"answers {status}"
