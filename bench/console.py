"""What somebody at the console's live inspector costs ingest and worker, on RabbitMQ.

Real processes: ingest, worker and console, and a viewer that has signed in and follows the inspector's stream,
unfiltered and with everything that uplinks hold, as its page does. The load is steady: 200 or 1,000 uplinks a second in
batches of 10, of 100 devices, one post each. That is more than the inspector can use, so that it is told of one in so
many uplinks; the first second, in which that is found out, is part of each run. The runs of one load are at the same
processes, for two of a kind differ by more than the inspector costs.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp

from bench.options import Options
from bench.rows import Results
from bench.sending import Senders, open_session
from bench.sink import Sink
from bench.systems import CONSOLE_TOKEN, RABBITMQ, Deployment, deploy

OPEN = "open"
CLOSED = "closed"

RATES = (200, 1_000)
"""Uplinks a second. The first is 12,000 a minute, not far from what TagoIO's largest plan takes of one profile, and
leaves the processes idle most of the time; the second keeps them busy.
"""

PAIRS_A_ROUND = 2
"""Ten runs of each with the five rounds that there are by default."""

LONGER = 4
"""So many times as long as other measurements a run lasts: 20 s, of which the first is one in twenty."""

DEVICES = 100

REST_SECONDS = 1.5
"""What was told last reaches the viewer, and is part of what it costs."""

WITHIN_SECONDS = 60.0
"""Whoever was watched is told so for 30 s more."""

POLL_SECONDS = 0.05


async def measure(options: Options) -> None:
    """Open and close the inspector in turn at each load, and open it first in every other pair."""
    results = Results("console", options)
    for rate in RATES:
        await measure_rate(results, rate, pairs=options.rounds * PAIRS_A_ROUND, seconds=options.seconds * LONGER)


async def measure_rate(results: Results, rate: int, *, pairs: int, seconds: float) -> None:
    """Measure one load, at processes of its own."""
    sink = Sink()
    url = await sink.start()
    async with deploy(RABBITMQ, url) as deployment, open_session() as session:
        senders = Senders([await deployment.start_ingest()], session, devices=DEVICES)
        await deployment.start_worker()
        console = await deployment.start_console()

        async def send() -> int:
            first = senders.sent
            await senders.send_paced(rate=rate, seconds=seconds)
            await sink.wait_for(senders.sent, within=WITHIN_SECONDS)
            return senders.sent - first

        await send()  # device tokens are asked for, and all code has run once
        for pair in range(pairs):
            for inspector in (OPEN, CLOSED) if pair % 2 else (CLOSED, OPEN):
                await wait_until_heard(session, deployment, is_heard=False)
                async with watching(console) if inspector == OPEN else nobody_watching() as seen:
                    await wait_until_heard(session, deployment, is_heard=inspector == OPEN)
                    figures = await run(deployment, send, seen)
                results.add(RABBITMQ.name, describe_case(inspector, rate), **figures)
    sink.stop()


def describe_case(inspector: str, rate: int) -> str:
    """Give the name of a cell."""
    return f"{inspector}, {rate:,} uplinks/s"


async def run(deployment: Deployment, send: Callable[[], Awaitable[int]], seen: "Seen") -> dict[str, float]:
    """Give the processor time of each process from the first uplink until the last event has come."""
    before, told = read_processors(deployment), seen.events
    uplinks = await send()
    await asyncio.sleep(REST_SECONDS)
    used = {role: (now - before[role]) / uplinks * 1e6 for role, now in read_processors(deployment).items()}
    return {
        "processor_us": used["ingest"] + used["worker"],
        "ingest_us": used["ingest"],
        "worker_us": used["worker"],
        "console_us": used["console"],
        "events": (seen.events - told) / uplinks,
    }


class Seen:
    """How many events have come by the inspector's stream."""

    def __init__(self) -> None:
        self.events = 0

    async def follow(self, stream: aiohttp.StreamReader) -> None:
        async for line in stream:
            self.events += line == b"event: uplink\n"


@asynccontextmanager
async def nobody_watching() -> AsyncIterator[Seen]:
    yield Seen()


@asynccontextmanager
async def watching(console: str) -> AsyncIterator[Seen]:
    """Sign in at the console, and follow its live inspector as long as the context lasts."""
    jar = aiohttp.CookieJar(unsafe=True)  # else it keeps none of an address without a name
    async with aiohttp.ClientSession(console, cookie_jar=jar) as browser:
        async with browser.get("/sign-in") as page:
            found = re.search(r'name="form_token" value="([^"]+)"', await page.text())
        assert found is not None
        form = {"form_token": found[1], "token": CONSOLE_TOKEN}
        async with browser.post("/sign-in", data=form, allow_redirects=False) as signed_in:
            assert signed_in.status == 303, await signed_in.text()
        async with browser.get("/live/events", timeout=aiohttp.ClientTimeout(total=None)) as stream:
            assert stream.status == 200
            seen = Seen()
            following = asyncio.create_task(seen.follow(stream.content))
            try:
                yield seen
            finally:
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)


async def wait_until_heard(session: aiohttp.ClientSession, deployment: Deployment, *, is_heard: bool) -> None:
    """Return when ingest and worker know that somebody watches, or that nobody does."""
    async with asyncio.timeout(WITHIN_SECONDS):
        for role in ("ingest", "worker"):
            while is_heard != await is_watched(session, deployment.url(role)):  # noqa: ASYNC110 - another process
                await asyncio.sleep(POLL_SECONDS)


async def is_watched(session: aiohttp.ClientSession, url: str) -> bool:
    async with session.get(f"{url}/metrics") as response:
        return "\nsluice_event_viewers 1.0\n" in await response.text()


def read_processors(deployment: Deployment) -> dict[str, float]:
    """Give the processor seconds that each role has used so far."""
    return {name.partition("-")[0]: program.processor_seconds for name, program in deployment.programs.items()}
