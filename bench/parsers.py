"""Runs of payload parsers in a second of one core, and their p99, beside Node.js with a fresh context per run.

    .venv/bin/python -m bench.parsers [--rounds 3] [--runs 3000]

Both run the parsers of tests/data/parsers on the same inputs. Ours is a pool with a single process, asked by two
callers, so that it never waits for the next run. Node.js (bench/parsers.js) does nothing but run, in one process. What
counts is the processor time of the process that runs the parsers, so that a busy machine changes little; p99 is by the
clock, and with it what the registry's side of the pipe takes. They take turns within each round; the median counts.
"""

import argparse
import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.progress import track

from registry.parsers.model import Decoded, Parser, ParserKind, ParserLimits
from registry.parsers.pool import ParserPool

DATA = Path(__file__).parents[1] / "tests" / "data" / "parsers"
CALLERS = 2
MANY = 500


@dataclass(frozen=True)
class Case:
    """Parsers that run in turn; ``cold``: none of them was run before."""

    name: str
    parsers: int
    cold: bool


CASES = (
    Case("1 parser, warm", 1, cold=False),
    Case("500 parsers in turn", MANY, cold=False),
    Case("cold", MANY, cold=True),
)


@dataclass(frozen=True)
class Workload:
    """A source and its input, as it was posted."""

    source: str
    payload: Any
    device: Any


@dataclass(frozen=True)
class Measurement:
    """One series of runs."""

    runs_per_second: float
    p99_ms: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runs", type=int, default=3_000)
    arguments = parser.parse_args()
    if not shutil.which("node"):
        sys.exit("bench: node is missing; Debian and Ubuntu have it as the package 'nodejs'")
    report(asyncio.run(measure(read_workloads(), arguments.rounds, arguments.runs)))


def read_workloads() -> list[Workload]:
    """Give what the corpus runs without an error."""
    found = []
    for file in sorted(DATA.glob("*.json")):
        source = file.with_suffix(".js").read_text()
        for run in orjson.loads(file.read_bytes())["runs"]:
            if "error" not in run["result"] and "prototype." not in source:
                found.append(Workload(source, run["payload"], run["device"]))
                break
    return found


async def measure(workloads: list[Workload], rounds: int, runs: int) -> dict[tuple[str, str], list[Measurement]]:
    systems: dict[str, Callable[[list[Workload], Case, int], Awaitable[Measurement]]] = {
        "Node.js, a fresh context": run_node,
        "parser process": run_pool,
    }
    results: dict[tuple[str, str], list[Measurement]] = {(case.name, name): [] for case in CASES for name in systems}
    cells = [(case, name) for _ in range(rounds) for case in CASES for name in systems]
    for case, name in track(cells, description="measuring", console=Console(stderr=True)):
        chosen = [choose(workloads, number) for number in range(case.parsers)]
        results[case.name, name].append(await systems[name](chosen, case, min(runs, MANY) if case.cold else runs))
    return results


def choose(workloads: list[Workload], number: int) -> Workload:
    """Give the parser of this number; each is a source of its own."""
    workload = workloads[number % len(workloads)]
    return Workload(f"{workload.source}\n// {number}", workload.payload, workload.device)


async def run_pool(workloads: list[Workload], case: Case, runs: int) -> Measurement:
    parsers = [Parser(ParserKind.NETWORK, str(number), each.source) for number, each in enumerate(workloads)]
    seconds: list[float] = []

    async def run(number: int) -> None:
        index = number % len(workloads)
        each = workloads[index]
        started = time.perf_counter()
        outcome = await pool.run([parsers[index]], each.payload, raw_payload=each.payload, device=each.device)
        seconds.append(time.perf_counter() - started)
        assert isinstance(outcome, Decoded), str(outcome)

    async with ParserPool(ParserLimits(processes=1)) as pool:
        warming = 200 if case.parsers == 1 else 0 if case.cold else case.parsers
        if case.cold:  # the process is there, and has run something
            await pool.run([Parser(ParserKind.DEVICE, "first", "")], [], raw_payload=[], device={})
        for number in range(warming):
            await run(number)
        seconds.clear()
        numbers = iter(range(runs))

        async def call() -> None:
            for number in numbers:
                await run(number)

        before = read_processor_seconds()
        await asyncio.gather(*(call() for _ in range(CALLERS)))
        return read_measurement(seconds, read_processor_seconds() - before)


def read_processor_seconds() -> float:
    """Give the processor time of the only process that this one has started."""
    (pid,) = [pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()]
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def run_node(workloads: list[Workload], case: Case, runs: int) -> Measurement:
    inputs = [{"payload": each.payload, "raw_payload": each.payload, "device": each.device} for each in workloads]
    request = {
        "parsers": [each.source for each in workloads],
        "inputs": [orjson.dumps(each).decode() for each in inputs],
        "runs": runs,
        "cold": case.cold,
    }
    command = ["node", "--no-deprecation", str(Path(__file__).with_suffix(".js"))]
    done = await asyncio.to_thread(
        subprocess.run, command, input=orjson.dumps(request), capture_output=True, check=True, env={"TZ": "UTC"}
    )
    answer = orjson.loads(done.stdout)
    return read_measurement([each / 1e6 for each in answer["microseconds"]], answer["seconds"])


def read_measurement(seconds: list[float], total: float) -> Measurement:
    return Measurement(len(seconds) / total, statistics.quantiles(seconds, n=100)[98] * 1000)


def report(results: dict[tuple[str, str], list[Measurement]]) -> None:
    """Print a Markdown table, as docs/performance.md holds it."""
    print("| parsers | system | runs/s | spread | p99 ms | of Node.js |")
    print("| --- | --- | ---: | --- | ---: | ---: |")
    nodes = 1.0
    for (case, name), series in results.items():
        rates = [each.runs_per_second for each in series]
        nodes = statistics.median(rates) if name.startswith("Node.js") else nodes
        p99 = statistics.median(each.p99_ms for each in series)
        spread = f"{min(rates):,.0f} to {max(rates):,.0f}"
        ratio = statistics.median(rates) / nodes
        print(f"| {case} | {name} | {statistics.median(rates):,.0f} | {spread} | {p99:.1f} | {ratio:.1f} |")


if __name__ == "__main__":
    main()
