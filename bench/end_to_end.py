"""Socket to sink, everything on this machine: how many uplinks a second, and how long after the 202.

Sustained is what arrives while the senders keep a bounded number of uplinks on their way: no queue grows. Then the same
processes get half of that, evenly, and each uplink is timed from the answer to its request to its arrival at the sink.
"""

import asyncio
import statistics
import time

from bench.options import Options
from bench.rows import Results
from bench.sending import Senders, open_session
from bench.sink import Sink
from bench.systems import FASTSTREAM, FORWARDER, NODE, RABBITMQ, RUN, TASKIQ_SYSTEM, System, deploy
from bench.uplinks import BATCH

POSTS = "posts"
BULK = "bulk"

AHEAD = 4_000
"""Uplinks on their way: four times what a worker has in hand."""

AHEAD_SLOW = 400
"""For the far slower systems: what is on its way has to arrive before the delays are measured."""

SLOW = (FASTSTREAM, TASKIQ_SYSTEM, FORWARDER)

WARM_SECONDS = 1.5
"""Connections are opened and 1,000 device tokens asked for."""

PACED_SECONDS = 3.0

REST_SECONDS = 120.0


async def measure(options: Options) -> None:
    """Run every cell in every round."""
    results = Results("end_to_end", options)
    for number in range(options.rounds):
        for system, case in choose_cells(slow=number == 0):
            await run(results, system, case, options.seconds)


def choose_cells(*, slow: bool) -> list[tuple[System, str]]:
    cells = [(RABBITMQ, POSTS), (NODE, POSTS), (RUN, POSTS), (RABBITMQ, BULK)]
    if slow:
        cells += [(system, POSTS) for system in SLOW]
    return cells


async def run(results: Results, system: System, case: str, seconds: float) -> None:
    """Measure one system: its sustained rate, then its delays at half of that."""
    sink = Sink(bulk=case == BULK)
    url = await sink.start()
    async with deploy(system, url) as deployment, open_session() as session:
        senders = Senders([await deployment.start_ingest()], session)
        await deployment.start_worker()
        rate = await find_sustained_rate(senders, sink, ahead=AHEAD_SLOW if system in SLOW else AHEAD, seconds=seconds)
        await sink.wait_for(senders.sent, within=REST_SECONDS)
        first = senders.sent
        await senders.send_paced(rate=rate / 2, seconds=min(PACED_SECONDS, seconds))
        await sink.wait_for(senders.sent, within=REST_SECONDS)
        delays = measure_delays(senders, sink, first)
        p50, p99 = statistics.median(delays), statistics.quantiles(delays, n=100)[98]
        results.add(system.name, case, rate=rate, p50_ms=p50, p99_ms=p99, duplicates=sink.duplicates)
    sink.stop()


async def find_sustained_rate(senders: Senders, sink: Sink, *, ahead: int, seconds: float) -> float:
    """Give the uplinks a second that arrive while the senders keep so many on their way."""
    stopping = asyncio.Event()
    sending = asyncio.create_task(senders.send_as_delivered(sink, stopping, ahead=ahead))
    await sink.wait_for(1, within=REST_SECONDS)
    await asyncio.sleep(WARM_SECONDS)
    began, before = time.monotonic(), sink.arrived
    await asyncio.sleep(seconds)
    rate = (sink.arrived - before) / (time.monotonic() - began)
    stopping.set()
    sink.changed.set()  # whoever waits for an arrival looks whether to stop
    await sending
    if not rate:
        raise RuntimeError(f"nothing arrived within {seconds:g} s")
    return rate


def measure_delays(senders: Senders, sink: Sink, first: int) -> list[float]:
    """Give the milliseconds from the answer to the arrival of each uplink from this mark on.

    An uplink may arrive before its sender has read the answer; that is no time at all.
    """
    return [
        max(0.0, sink.moments[mark] - senders.accepted[mark - (mark - first) % BATCH]) * 1000
        for mark in range(first, senders.sent)
    ]
