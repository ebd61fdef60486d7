"""The live inspector: what happens to each uplink, as server-sent events. For the administrator alone."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, TypeAlias
from uuid import uuid4

import orjson
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from common.events.announcement import Announcement, EventFilter
from common.events.engine import Missed, Sampled, Seen
from common.events.event import Event, Stage
from common.reason import Reason
from console.refusal import SignedOutError
from console.things import KEYS, NETWORKS, name_known
from console.visit import Reception, Visit

LOOK_SECONDS: Final = 1.0
"""How soon a stream ends when the console drains, or its session is over."""

IDLE_LOOKS: Final = 15
"""Looks without an event, after which a comment keeps a proxy from taking the stream for dead."""

BURST: Final = 200
BURST_SECONDS: Final = 0.05
"""What has come within this time is written at once: nobody reads faster, and a write costs as much as many events."""

UPLINKS_PER_SECOND: Final = 50
"""That a page can show: 12,000 events a minute. Of more it is told a sample."""

Watch: TypeAlias = Callable[[Announcement], AbstractAsyncContextManager[AsyncIterator[Seen]]]
"""Gives what the processes tell, as long as the context lasts. Raises :class:`WatchError`."""


class WatchError(Exception):
    """Nothing can be watched; the message says why."""


class LiveRoutes:
    """The page, and the stream that it follows. ``is_draining`` says that the console stops."""

    def __init__(self, reception: Reception, watch: Watch, is_draining: Callable[[], bool]) -> None:
        self._reception = reception
        self._watch = watch
        self._is_draining = is_draining

    @property
    def routes(self) -> list[Route]:
        """What there is to be done."""
        admit = self._reception.admit_administrator
        return [
            Route("/live", admit(self._show), methods=["GET"]),
            Route("/live/events", admit(self._follow), methods=["GET"]),
        ]

    async def _show(self, visit: Visit) -> Response:
        wanted = {name: visit.query(name) for name in ("serial", "key", "network", "stage", "reason")}
        keys, networks = await name_known(visit, KEYS), await name_known(visit, NETWORKS)
        return visit.render(
            "live.html",
            wanted=wanted,
            stages={stage: stage.replace("_", " ") for stage in Stage},
            reasons=sorted(Reason),
            keys=keys,
            networks=networks,
            names=keys | networks,
        )

    async def _follow(self, visit: Visit) -> Response:
        return StreamingResponse(self._stream(visit), media_type="text/event-stream")

    async def _stream(self, visit: Visit) -> AsyncIterator[bytes]:
        yield b"retry: 2000\n\n"
        try:
            async with self._watch(read_announcement(visit)) as seen:
                async for burst in self._listen(visit, seen):
                    yield b"".join(map(encode_seen, burst)) or b": still here\n\n"
        except WatchError as error:
            yield _encode("missed", {"why": str(error), "events": None})

    async def _listen(self, visit: Visit, seen: AsyncIterator[Seen]) -> AsyncIterator[Sequence[Seen]]:
        """Give what is seen in bursts, and an empty one now and then.

        That lasts as long as the session does, the console does not stop, and there is something to be watched.
        """
        arrived: asyncio.Queue[Seen] = asyncio.Queue(BURST)  # when it is full, whoever tells events drops and says so
        arriving = asyncio.create_task(_put_in(arrived, seen))
        idle = 0
        try:
            while not self._is_draining() and await self._still_admitted(visit):
                if burst := await _take_burst(arrived):
                    yield burst
                    idle = 0
                elif arriving.done():
                    arriving.result()
                    return
                else:
                    idle += 1
                    if idle % IDLE_LOOKS == 0:
                        yield ()
        finally:
            arriving.cancel()
            await asyncio.gather(arriving, return_exceptions=True)

    async def _still_admitted(self, visit: Visit) -> bool:
        try:
            return await self._reception.recheck(visit) and visit.profile.administrator
        except SignedOutError:
            return False


def read_announcement(visit: Visit) -> Announcement:
    """Read what the page asks for: of each kind one value at most.

    Its stage is not among that: the page needs every stage of an uplink to tell its story, and shows those of one.
    """

    def one(name: str) -> frozenset[str]:
        value = visit.query(name)
        return frozenset({value} if value else ())

    event_filter = EventFilter(one("serial"), one("key"), one("network"), one("reason"))
    return Announcement(
        f"console-{uuid4().hex[:12]}", event_filter, details=True, uplinks_per_second=UPLINKS_PER_SECOND
    )


async def _put_in(arrived: "asyncio.Queue[Seen]", seen: AsyncIterator[Seen]) -> None:
    async for each in seen:
        await arrived.put(each)


async def _take_burst(arrived: "asyncio.Queue[Seen]") -> list[Seen]:
    """Wait a little for something to come, and give it with what comes right behind it."""
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            burst = [await arrived.get()]
    except TimeoutError:
        return []
    await asyncio.sleep(BURST_SECONDS)
    while not arrived.empty():
        burst.append(arrived.get_nowait())
    return burst


def encode_seen(seen: Seen) -> bytes:
    """Encode one server-sent event, for the page's script."""
    match seen:
        case Sampled(one_in=one_in):
            return _encode("sampled", {"one_in": one_in})
        case Missed(why=why, events=events):
            return _encode("missed", {"why": why, "events": events})
        case Event():
            return _encode(
                "uplink",
                {
                    "time": seen.time,
                    "stage": seen.stage,
                    "uplink_id": seen.uplink_id,
                    "key": seen.key,
                    "network": seen.network,
                    "serial": seen.serial,
                    "reason": seen.reason,
                    "facts": seen.facts,
                    "details": seen.details,
                },
            )


def _encode(name: str, data: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), orjson.dumps(data, default=str, option=orjson.OPT_UTC_Z))
