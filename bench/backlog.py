"""How fast one worker empties a queue with 100,000 uplinks in it, and with 1,000,000.

The sink answers at once and takes single posts. The rate of every second is kept, for the curve of drain against
backlog.
"""

import asyncio
import time

from bench.options import Options
from bench.rows import Results
from bench.sending import Senders, open_session
from bench.sink import Sink
from bench.systems import RABBITMQ, deploy

BACKLOGS = (100_000, 1_000_000)
SAMPLE_SECONDS = 1.0
FILLING_BATCH = 50
DRAIN_SECONDS = 3_600.0


async def measure(options: Options) -> None:
    """Drain each backlog once."""
    results = Results("backlog", options)
    for backlog in BACKLOGS:
        await run(results, int(backlog * options.scale))


async def run(results: Results, backlog: int) -> None:
    sink = Sink()
    url = await sink.start()
    async with deploy(RABBITMQ, url) as deployment, open_session() as session:
        await Senders([await deployment.start_ingest()], session).send(backlog, batch=FILLING_BATCH)
        await deployment.start_worker()
        sampling = asyncio.create_task(sample(results, sink, backlog))
        await sink.wait_for(backlog, within=DRAIN_SECONDS)
        sampling.cancel()
        assert sink.began is not None
        rate = backlog / (max(sink.moments.values()) - sink.began)
        results.add(RABBITMQ.name, f"{backlog}", rate=rate, duplicates=sink.duplicates)
    sink.stop()


async def sample(results: Results, sink: Sink, backlog: int) -> None:
    """Keep what arrived in each interval, beside what was left."""
    while True:
        began, before = time.monotonic(), sink.arrived
        await asyncio.sleep(SAMPLE_SECONDS)
        if before:
            rate = (sink.arrived - before) / (time.monotonic() - began)
            results.add(RABBITMQ.name, f"{backlog} sample", left=backlog - sink.arrived, rate=rate)
