"""Send 100,000 uplinks through real processes while workers are killed, and count what arrives.

    .venv/bin/python -m bench.burst [--uplinks 100000] [--kills 2]

One ingest, three workers, the stub downstream, and the RabbitMQ at SLUICE_TEST_AMQP_URL (else 127.0.0.1:5672). 64
senders post batches of 10 by `sluice send`. At even intervals of what has arrived, a worker is killed with `kill -9`
and a new one started. Exits with 1 when an uplink is missing, or came more often than redeliveries explain.
"""

import argparse
import os
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

from tests.support.leftovers import delete_queues
from tests.support.system import AUTHORIZATION, RETRY_STEPS, System

AMQP_URL = os.environ.get("SLUICE_TEST_AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/")
WORKERS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--uplinks", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=2)
    parser.add_argument("--deadline", type=float, default=900, help="seconds")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        system = System(AMQP_URL, Path(folder), stub_options=("--keep-posts", "0"))
        try:
            passed = run(system, arguments.uplinks, arguments.kills, time.monotonic() + arguments.deadline)
        finally:
            system.close()
            delete_queues(AMQP_URL, system.prefix, RETRY_STEPS)
    sys.exit(0 if passed else 1)


def run(system: System, uplinks: int, kills: int, deadline: float) -> bool:
    """Send, kill, wait, count; give whether every uplink arrived and every duplicate is explained."""
    ingest = system.start_ingest()
    workers = [system.start_worker() for _ in range(WORKERS)]
    began = time.monotonic()
    sending = system.run(
        *("send", "--generate", str(uplinks), "--batch", "10", "--senders", "64", "--url", f"{ingest.url}/uplink"),
        SLUICE_AUTHORIZATION=AUTHORIZATION,
    )
    for kill in range(1, kills + 1):
        wait_for(system, uplinks * kill // (kills + 1), deadline)
        workers.pop(0).kill()
        workers.append(system.start_worker())
        print(f"killed a worker at {system.arrived()['distinct']:,} arrived uplinks")
    sent = sending.wait(within=deadline - time.monotonic())
    sent_after = time.monotonic() - began
    wait_for(system, uplinks, deadline)
    arrived_after = time.monotonic() - began
    counts, ids = system.arrived(), system.arrived_ids()
    dead = len(system.dead_letters())
    redelivered = sum(count_redelivered(worker.url) for worker in workers)
    table = Table("what", "count", title="burst")
    table.add_row(
        "uplinks sent", f"{uplinks:,} in {sent_after:.1f} s, {'all answered 202' if sent == 0 else 'NOT all accepted'}"
    )
    table.add_row("arrived downstream, distinct", f"{counts['distinct']:,} in {arrived_after:.1f} s")
    table.add_row("uplinks/s", f"{uplinks / arrived_after:,.0f}")
    table.add_row("dead letters", f"{dead:,}")
    table.add_row("lost", f"{uplinks - counts['distinct'] - dead:,}")
    table.add_row("how often each arrived", describe_times(Counter(ids.values())))
    table.add_row("delivered to a worker again", f"{redelivered:,}")
    table.add_row("posts with two raw payloads", f"{counts['boundary_violations']:,}")
    Console().print(table)
    if sent != 0:
        print(sending.log)
    return sent == 0 and counts["distinct"] + dead == uplinks and counts["duplicates"] <= redelivered


def wait_for(system: System, distinct: int, deadline: float) -> None:
    while system.arrived()["distinct"] < distinct and time.monotonic() < deadline:
        time.sleep(0.1)


def count_redelivered(url: str) -> int:
    """Ask a living worker how many uplinks came to it that had been with another before."""
    metrics = httpx.get(f"{url}/metrics").text
    return sum(int(float(n)) for n in re.findall(r"^sluice_uplinks_redelivered_total (\S+)", metrics, re.MULTILINE))


def describe_times(times: Counter[int]) -> str:
    return ", ".join(f"{count:,} {'once' if n == 1 else f'{n} times'}" for n, count in sorted(times.items()))


if __name__ == "__main__":
    main()
