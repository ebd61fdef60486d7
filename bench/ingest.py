"""Requests a second and answer times of each system's ingest, beside the floor; everything answered after the confirm.

All run at a time and take turns within each round, so that a slow minute of the machine hits all of them. The queues
are emptied between runs: none is measured with more behind it than another.
"""

from contextlib import AsyncExitStack

from bench.options import Options
from bench.rows import Results
from bench.sink import Sink
from bench.systems import (
    FASTSTREAM,
    FLOOR,
    FORWARDER,
    NODE,
    RABBITMQ,
    SQLITE,
    TASKIQ_SYSTEM,
    Deployment,
    System,
    deploy,
)
from bench.tables import ONCE
from bench.uplinks import BODIES
from bench.wrk import require_wrk, run_wrk

CONNECTIONS = (16, 128)
SWEEP = (1, 4, 16, 64, 256)
"""Connections for the curve of throughput against latency, one short run each."""

SWEEP_SECONDS = 2.0

SWEEP_BODY = "batch of 10"

FORWARDED_LATENCY = 0.01
"""Of the downstream, in seconds: only the forwarder waits for it."""


async def measure(options: Options) -> None:
    """Run every cell in every round, then the sweep once."""
    require_wrk()
    results = Results("ingest", options)
    sink = Sink(latency=FORWARDED_LATENCY)
    sink_url = await sink.start()
    async with AsyncExitStack() as stack:
        deployments: dict[str, tuple[Deployment, str]] = {}
        for system in (FLOOR, RABBITMQ, NODE, SQLITE, FASTSTREAM, TASKIQ_SYSTEM, FORWARDER):
            deployment = await stack.enter_async_context(deploy(system, sink_url))
            deployments[system.name] = (deployment, await deployment.start_ingest())

        async def run(system: System, body: str, connections: int, seconds: float, suffix: str = "") -> None:
            deployment, url = deployments[system.name]
            program = deployment.programs["ingest-1"]
            used = program.processor_seconds
            load = await run_wrk(f"{url}/uplink", BODIES[body], connections=connections, seconds=seconds)
            figures = {"rate": load.rate, "p50_ms": load.p50_ms, "p99_ms": load.p99_ms}
            figures["processor_us"] = (program.processor_seconds - used) / max(load.requests, 1) * 1e6
            results.add(system.name, f"{body}, {connections} connections{suffix}", **figures)
            await deployment.purge()
            sink.clear()

        for number in range(options.rounds):
            for system, body, connections in choose_cells(slow=number < options.slow_rounds):
                await run(system, body, connections, options.seconds)
        for connections in SWEEP:
            for system in (FLOOR, RABBITMQ, SQLITE, NODE, FASTSTREAM, TASKIQ_SYSTEM, FORWARDER):
                await run(system, SWEEP_BODY, connections, min(SWEEP_SECONDS, options.seconds), ONCE)
    sink.stop()


def choose_cells(*, slow: bool) -> list[tuple[System, str, int]]:
    """Give system, body and connections of each run of a round."""
    cells = [(system, body, n) for body in BODIES for n in CONNECTIONS for system in (FLOOR, RABBITMQ, NODE)]
    cells += [(SQLITE, body, CONNECTIONS[-1]) for body in BODIES]
    if slow:
        cells += [(system, SWEEP_BODY, CONNECTIONS[-1]) for system in (FASTSTREAM, TASKIQ_SYSTEM, FORWARDER)]
    return cells
