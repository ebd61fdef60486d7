"""The memory of ingest, worker and registry while 2,000,000 uplinks go through them.

The registry is directory and downstream, on SQLite: what is stored grows, the processes should not. Senders keep a
bounded number of uplinks on their way, as the worker's own counter of deliveries tells.
"""

import asyncio
import re
import secrets
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from pydantic import SecretStr

from bench.options import Options
from bench.programs import Program, free_port
from bench.registry import fill
from bench.rows import Results
from bench.sending import Senders, open_session
from bench.systems import AMQP_URL, SLUICE, delete_queues

UPLINKS = 2_000_000
TENTHS = 10
SETTLED_TENTH = 2
"""In the first, buffers and caches are still filled."""
DEVICES = 200
AHEAD = 10_000
BURST = 2_000
SAMPLE_SECONDS = 5.0
POLL_SECONDS = 0.2
ROLES = ("registry", "ingest", "worker")


async def measure(options: Options) -> None:
    """Send everything through once, and keep what each role holds every few seconds."""
    results = Results("memory", options)
    uplinks = int(UPLINKS * options.scale)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        prefix = f"bench-{uuid.uuid4().hex[:8]}"
        stack.push_async_callback(delete_queues, prefix)
        secret = SecretStr(secrets.token_hex(32))
        fleet = await fill(folder, None, secret, DEVICES)
        ports = {role: free_port() for role in ROLES}
        environment = describe_environment(folder, prefix, secret, ports)
        programs: dict[str, Program] = {}
        for role in ROLES:
            programs[role] = await Program.start((SLUICE, role), environment, folder / f"{role}.log")
            stack.push_async_callback(programs[role].stop)
            await programs[role].wait_ready(f"http://127.0.0.1:{ports[role]}/readyz")
        session = await stack.enter_async_context(open_session())
        senders = Senders(
            [f"http://127.0.0.1:{ports['ingest']}"], session, authorization=fleet.keys[0], devices=DEVICES
        )
        metrics = f"http://127.0.0.1:{ports['worker']}/metrics"
        await send_and_sample(Run(results, programs, senders, uplinks), lambda: count_delivered(session, metrics))


def describe_environment(folder: Path, prefix: str, secret: SecretStr, ports: Mapping[str, int]) -> dict[str, str]:
    return {
        "SLUICE_DATA": str(folder),
        "SLUICE_SECRET_KEY": secret.get_secret_value(),
        "SLUICE_QUEUE": AMQP_URL,
        "SLUICE_QUEUE_PREFIX": prefix,
        "SLUICE_DIRECTORY": f"http://127.0.0.1:{ports['registry']}",
        "SLUICE_DIRECTORY_TOKEN": secrets.token_hex(16),
        "SLUICE_LOG_LEVEL": "WARNING",
        **{f"SLUICE_{role.upper()}_PORT": str(port) for role, port in ports.items()},
    }


@dataclass(frozen=True, slots=True)
class Run:
    """The roles that run, and what is sent to them."""

    results: Results
    programs: Mapping[str, Program]
    senders: Senders
    uplinks: int


async def send_and_sample(run: Run, count_delivered: Callable[[], Awaitable[int]]) -> None:
    """Send until everything is delivered, at most so many ahead; keep a sample every few seconds."""
    began, sampled = time.monotonic(), 0.0
    while (delivered := await count_delivered()) < run.uplinks:
        if time.monotonic() - sampled >= SAMPLE_SECONDS:
            sampled = time.monotonic()
            for role, program in run.programs.items():
                megabytes = program.resident_bytes / 1e6
                case = describe_case(delivered * TENTHS // run.uplinks + 1)
                run.results.add(role, case, seconds=sampled - began, megabytes=megabytes)
        if run.senders.sent < run.uplinks and run.senders.sent - delivered < AHEAD:
            await run.senders.send(min(BURST, run.uplinks - run.senders.sent))
        else:
            await asyncio.sleep(POLL_SECONDS)
    run.results.add("Sluice with its registry", "whole", rate=run.uplinks / (time.monotonic() - began))


def describe_case(tenth: int) -> str:
    """Name the samples that were taken while this tenth of the uplinks was delivered."""
    return f"tenth {tenth}"


async def count_delivered(session: aiohttp.ClientSession, metrics: str) -> int:
    async with session.get(metrics) as response:
        match = re.search(r"^sluice_uplinks_delivered_total (\S+)", await response.text(), re.MULTILINE)
    assert match, "the worker does not count what it delivers"
    return int(float(match[1]))
