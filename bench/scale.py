"""One, two and four ingests and as many workers, against a sink that takes 100 ms.

With such a downstream a worker is bounded by its 64 open requests, 640 uplinks a second, and not by the machine: what
is seen here is whether the processes are in each other's way. They share two cores with broker, sender and sink.
"""

from bench.end_to_end import REST_SECONDS, find_sustained_rate
from bench.options import Options
from bench.rows import Results
from bench.sending import Senders, open_session
from bench.sink import Sink
from bench.systems import RABBITMQ, deploy

PROCESSES = (1, 2, 4)
LATENCY = 0.1
AHEAD_PER_WORKER = 4_000


async def measure(options: Options) -> None:
    """Run every number of processes in two rounds: what waits for the downstream hardly varies."""
    results = Results("scale", options)
    for _ in range(min(options.rounds, 2)):
        for processes in PROCESSES:
            await run(results, processes, options.seconds)


async def run(results: Results, processes: int, seconds: float) -> None:
    sink = Sink(latency=LATENCY)
    url = await sink.start()
    async with deploy(RABBITMQ, url) as deployment, open_session() as session:
        senders = Senders([await deployment.start_ingest() for _ in range(processes)], session)
        for _ in range(processes):
            await deployment.start_worker()
        rate = await find_sustained_rate(senders, sink, ahead=AHEAD_PER_WORKER * processes, seconds=seconds)
        await sink.wait_for(senders.sent, within=REST_SECONDS)
        results.add(RABBITMQ.name, f"{processes}", rate=rate, duplicates=sink.duplicates)
    sink.stop()
