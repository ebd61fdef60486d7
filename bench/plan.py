"""What 1,000,000 uplinks a second would take, by arithmetic from the measured figures; on paper, not tried."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from bench.goals import BATCHES
from bench.programs import REPOSITORY
from bench.rows import Measured
from bench.systems import RABBITMQ
from bench.uplinks import BATCH, UPLINK
from bench.worker import BULK_SINK, FAST_SINK
from common.envelope import Envelope, encode_envelope
from ingest.acceptance import FRAME_BYTES, FRAME_UPLINKS

TARGET = 1_000_000
"""Uplinks a second."""

HEADROOM = 2
"""Nothing is planned to be more than half busy: a burst, a lost machine, a backlog to drain."""

QUEUE_BYTES = 200_000_000
"""A second into one quorum queue in messages of 120 kB: one run on two cores, without replicas, with a client in C."""

QUEUE_CORES = 2
"""Of that run; a replica is taken to need as many."""

MACHINE_CORES = 2
"""On which a registry with its PostgreSQL was measured, those who sent to it included."""

REPLICAS = 3

TAGOIO_POSTS = 15_000 / 60
"""A second and profile, on the largest plan."""

CORE_HOUR = 0.04
"""Euros: an assumption, to be replaced by one's own."""

MONTH_HOURS = 730


@dataclass(frozen=True, slots=True)
class Need:
    """What one part of the way takes at the target: cores with headroom, and how that was reckoned."""

    part: str
    sharded_by: str
    arithmetic: str
    cores: int


def render_plan(sections: Mapping[str, Measured]) -> str:
    """Give the table; a part whose section was not measured here is left out."""
    needs = [need for need in find_needs(sections) if need is not None]
    lines = ["| part | sharded by | arithmetic | cores |", "| --- | --- | --- | ---: |"]
    lines += [f"| {need.part} | {need.sharded_by} | {need.arithmetic} | {need.cores:,} |" for need in needs]
    cores = sum(need.cores for need in needs)
    month = round(cores * CORE_HOUR * MONTH_HOURS, -3)
    profiles = TARGET / TAGOIO_POSTS
    by_cores = ", then ".join(need.part for need in sorted(needs, key=lambda need: -need.cores))
    return "\n".join(lines) + (
        f"\n\nTogether {cores:,} cores, at {CORE_HOUR} € an hour each some {month:,.0f} € a month (the price is an "
        f"assumption; disks and traffic are not in it). What takes most: {by_cores}.\n\n"
        "Which limit comes first: with TagoIO's cloud as the downstream its posts a minute, for it would take "
        f"{profiles:,.0f} profiles of the largest plan, at {TAGOIO_POSTS:.0f} posts a second each. With the registry, "
        "its database: it takes thousands of uplinks a second where a worker takes ten thousands, so that it says how "
        "many shards there are; a database that is faster, or keeps less, makes fewer and larger ones. Then a worker's "
        "and an ingest's core, of which a shard may have several. Last the broker's disk and network, which no shard "
        "of this size comes near."
    )


def find_needs(sections: Mapping[str, Measured]) -> list[Need | None]:
    return [
        _need_ingest(sections.get("ingest")),
        _need_broker(),
        _need_worker(sections.get("worker"), BULK_SINK, "workers, bulk"),
        _need_registry(),
    ]


def _need_ingest(measured: Measured | None) -> Need | None:
    micros = measured and measured.median(RABBITMQ.name, BATCHES, "processor_us")
    if not micros:
        return None
    arithmetic = f"{TARGET / BATCH:,.0f} requests/s of {BATCH} uplinks x {micros:.0f} µs of processor x {HEADROOM}"
    sharded_by = "authorization key, by the load balancer; within a shard by connection"
    return Need("ingest", sharded_by, arithmetic, _cores(TARGET / BATCH * micros))


def _need_broker() -> Need:
    size = len(encode_envelope(_sample_envelope())) / BATCH
    volume = TARGET * size
    frames = TARGET / min(FRAME_UPLINKS, FRAME_BYTES / size)
    queues = math.ceil(volume / QUEUE_BYTES * HEADROOM)
    arithmetic = (
        f"{size:.0f} bytes an uplink: {volume / 1e6:.0f} MB/s in {frames:,.0f} full frames/s x {HEADROOM}, at "
        f"{QUEUE_BYTES / 1e6:.0f} MB/s a queue (one run elsewhere, with a client in C and no replicas): {queues} "
        f"queues' worth x {REPLICAS} replicas x {QUEUE_CORES} cores; a shard's queue has a small part of one"
    )
    return Need("RabbitMQ", "a queue prefix for each shard", arithmetic, queues * REPLICAS * QUEUE_CORES)


def _need_worker(measured: Measured | None, case: str, part: str) -> Need | None:
    micros = measured and measured.median(RABBITMQ.name, case, "processor_us")
    if not micros:
        return None
    single = measured and measured.median(RABBITMQ.name, FAST_SINK, "processor_us")
    arithmetic = f"{micros:.0f} µs an uplink x {HEADROOM}"
    arithmetic += f" (single posts: {single:.0f} µs, {_cores(TARGET * single):,} cores)" if single else ""
    return Need(part, "their shard's queue", arithmetic, _cores(TARGET * micros))


def _need_registry() -> Need | None:
    """The registry's own figures stand in the page, in a table of its own."""
    page = (REPOSITORY / "docs" / "performance.md").read_text()
    row = re.search(r"^\| POST /data/bulk[^|]*\| PostgreSQL \| 200,000 \|(.*)\|$", page, re.MULTILINE)
    if row is None:
        return None
    rate = float(row[1].split("|")[0].replace(",", ""))
    shards = math.ceil(TARGET / rate * HEADROOM)
    return Need(
        "registry and PostgreSQL",
        "profile: a registry and a database for each shard",
        f"{rate:,.0f} uplinks/s in bulk on {MACHINE_CORES} cores, senders included, x {HEADROOM}: {shards:,} shards",
        shards * MACHINE_CORES,
    )


def _cores(microseconds: float) -> int:
    """Give the cores for so much processor time in a second."""
    return math.ceil(microseconds / 1e6 * HEADROOM)


def _sample_envelope() -> Envelope:
    return Envelope(
        group="6a1f0c52d3b19e4477aa01c9",
        key_id="factory",
        arrived_at=datetime(2026, 11, 21, tzinfo=UTC),
        query={},
        items=[(index, dict(UPLINK)) for index in range(BATCH)],
    )
