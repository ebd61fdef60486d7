"""Uplinks a second of one worker process that empties a queue, one post per uplink, beside the peers' workers.

The queue is filled by the system's own ingest, in batches of 10 uplinks of 1,000 devices with a raw payload each. The
clock runs from the first request at the sink to the last uplink, so that starting a process is not in it and asking for
1,000 device tokens is.
"""

from bench.options import Options
from bench.rows import Results
from bench.sending import Senders, open_session
from bench.sink import Sink
from bench.systems import FASTSTREAM, NODE, RABBITMQ, TASKIQ_SYSTEM, System, deploy
from bench.uplinks import DEVICES

SLOW_SINK = "posts, sink takes 10 ms"
FAST_SINK = "posts, sink answers at once"
BULK_SINK = "bulk, sink answers at once"

SINKS = {SLOW_SINK: (0.01, False, 4_000), FAST_SINK: (0.0, False, 8_000), BULK_SINK: (0.0, True, 16_000)}
"""Latency in seconds, whether many posts at once are offered, and how many uplinks are queued for a second of a run.

That is what is about to be measured, so that a run takes as long as it should: five seconds are 20,000 uplinks to the
slow sink, and as many in bulk would be over in one, and say mostly how a worker begins.
"""

SLOWNESS = 10
"""So many times less is queued for the Python peers, of so many times fewer devices."""

DRAIN_SECONDS = 300.0


async def measure(options: Options) -> None:
    """Run every cell in every round."""
    results = Results("worker", options)
    for number in range(options.rounds):
        for system, case in choose_cells(slow=number < options.slow_rounds):
            share = SLOWNESS if system in {FASTSTREAM, TASKIQ_SYSTEM} else 1
            await run(results, system, case, options.seconds, share)


def choose_cells(*, slow: bool) -> list[tuple[System, str]]:
    cells = [(RABBITMQ, SLOW_SINK), (NODE, SLOW_SINK), (RABBITMQ, BULK_SINK)]
    if slow:
        cells += [(RABBITMQ, FAST_SINK), (NODE, FAST_SINK), (FASTSTREAM, SLOW_SINK), (TASKIQ_SYSTEM, SLOW_SINK)]
    return cells


async def run(results: Results, system: System, case: str, seconds: float, share: int = 1) -> None:
    """Fill the queue, start one worker, and wait until everything has arrived; ``share`` divides what is queued."""
    latency, bulk, rate = SINKS[case]
    uplinks, devices = int(rate * seconds) // share, DEVICES // share
    sink = Sink(latency=latency, bulk=bulk)
    url = await sink.start()
    async with deploy(system, url) as deployment, open_session() as session:
        ingest = await deployment.start_ingest()
        await Senders([ingest], session, devices=devices).send(uplinks)
        worker = await deployment.start_worker()
        await sink.wait_for(1, within=DRAIN_SECONDS)
        used, first = worker.processor_seconds, sink.arrived
        await sink.wait_for(uplinks, within=DRAIN_SECONDS)
        used = worker.processor_seconds - used
        assert sink.began is not None
        took = max(sink.moments.values()) - sink.began
        results.add(
            system.name,
            case,
            rate=uplinks / took,
            processor_us=used / (uplinks - first) * 1e6,
            uplinks=uplinks,
            duplicates=sink.duplicates,
        )
    sink.stop()
