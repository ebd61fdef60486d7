"""How fast one worker empties a queue with 100,000 uplinks in it, and with 1,000,000.

The sink answers at once and takes single posts. The smaller one is drained before and after the larger, for the machine
is not equally fast all the time. The rate of every second is kept, for the curve of drain against backlog.
"""

import asyncio
import time

from bench.options import Options
from bench.rows import Results
from bench.sending import Senders, open_session
from bench.sink import Sink
from bench.systems import RABBITMQ, deploy

SMALL = 100_000
LARGE = 1_000_000
SAMPLE_SECONDS = 1.0
FILLING_BATCH = 50
DRAIN_SECONDS = 3_600.0


async def measure(options: Options) -> None:
    """Drain the larger backlog once, and the smaller before it and after it."""
    results = Results("backlog", options)
    for number, backlog in enumerate((SMALL, LARGE, SMALL), start=1):
        await run(results, number, describe_case(backlog), int(backlog * options.scale))


def describe_case(backlog: int) -> str:
    return f"{backlog:,}"


async def run(results: Results, number: int, case: str, backlog: int) -> None:
    sink = Sink()
    url = await sink.start()
    async with deploy(RABBITMQ, url) as deployment, open_session() as session:
        await Senders([await deployment.start_ingest()], session).send(backlog, batch=FILLING_BATCH)
        await deployment.start_worker()
        sampling = asyncio.create_task(sample(results, sink, f"{case}, run {number}", backlog))
        await sink.wait_for(backlog, within=DRAIN_SECONDS)
        sampling.cancel()
        assert sink.began is not None
        rate = backlog / (max(sink.moments.values()) - sink.began)
        results.add(RABBITMQ.name, case, rate=rate, duplicates=sink.duplicates)
    sink.stop()


async def sample(results: Results, sink: Sink, case: str, backlog: int) -> None:
    """Keep what arrived in each interval, beside what was left."""
    while True:
        began, before = time.monotonic(), sink.arrived
        await asyncio.sleep(SAMPLE_SECONDS)
        if before:
            drain = (sink.arrived - before) / (time.monotonic() - began)
            results.add(RABBITMQ.name, case, left=backlog - sink.arrived, drain=drain)
