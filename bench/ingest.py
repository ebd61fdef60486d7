"""Requests per second and answer times of `sluice ingest`, beside its own server without the work (bench/floor.py).

    make bench      or      .venv/bin/python bench/ingest.py [--rounds 3] [--seconds 4]

Everything runs on this machine: wrk, the ingest, and the RabbitMQ at SLUICE_TEST_AMQP_URL (else 127.0.0.1:5672). The
systems take turns within each round, so that a slow minute of the machine hits all of them; the median counts.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import track

from tests.support.leftovers import delete_queues

BENCH = Path(__file__).parent
AMQP_URL = os.environ.get("SLUICE_TEST_AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/")
TOKEN = "bench-authorization"
UPLINK = {"serial": "0A1B2C3D4E5F6071", "payload": "0011AA22BB33", "port": 10, "rssi": -70, "snr": 9.5, "fcnt": 4711}
BODIES = {"batch of 10": [UPLINK] * 10, "single uplink": UPLINK}
CONNECTIONS = (16, 128)

DIRECTORY = f"""
[downstream]
url = "http://127.0.0.1:1"
[networks.bench]
token = "bench-network"
[authorizations.bench]
token = "{TOKEN}"
network = "bench"
"""

SCRIPT = """
wrk.method = "POST"
wrk.body = [==[{body}]==]
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "{token}"
"""


@dataclass(frozen=True)
class Measurement:
    """One run of wrk."""

    requests_per_second: float
    p50_ms: float
    p99_ms: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    arguments = parser.parse_args()
    if not shutil.which("wrk"):
        sys.exit("bench: wrk is missing; Debian and Ubuntu have it as the package 'wrk'")
    with (
        tempfile.TemporaryDirectory() as name,
        running_floor() as floor,
        running_ingest(Path(name), AMQP_URL) as rabbitmq,
        running_ingest(Path(name), f"sqlite:{name}/queue.db") as sqlite,
    ):
        systems = {"floor": floor, "ingest on RabbitMQ": rabbitmq, "ingest on SQLite": sqlite}
        results = measure(systems, Path(name), arguments.rounds, arguments.seconds)
    report(results)


def measure(
    systems: dict[str, str], folder: Path, rounds: int, seconds: int
) -> dict[tuple[str, str, int], list[Measurement]]:
    """Give the measurements by body, system and connections."""
    cells = [(body, system, n) for body in BODIES for n in CONNECTIONS for system in systems]
    results: dict[tuple[str, str, int], list[Measurement]] = {cell: [] for cell in cells}
    runs = [cell for _ in range(rounds) for cell in cells]
    for cell in track(runs, description="measuring", console=Console(stderr=True)):
        body, system, connections = cell
        script = folder / "post.lua"
        script.write_text(SCRIPT.format(body=json.dumps(BODIES[body]), token=TOKEN))
        results[cell].append(run_wrk(systems[system], script, connections, seconds))
    return results


def run_wrk(url: str, script: Path, connections: int, seconds: int) -> Measurement:
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script), f"{url}/uplink"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if refused := re.search(r"Non-2xx or 3xx responses: (\d+)|Socket errors: .*", output):
        sys.exit(f"bench: {url} did not answer every request with 202: {refused[0]}")
    return Measurement(
        requests_per_second=float(find(r"Requests/sec:\s+([\d.]+)", output)),
        p50_ms=to_milliseconds(find(r"(?m)^ +50% +(\S+)", output)),
        p99_ms=to_milliseconds(find(r"(?m)^ +99% +(\S+)", output)),
    )


def find(pattern: str, output: str) -> str:
    match = re.search(pattern, output)
    assert match, output
    return match[1]


def to_milliseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr]
    return float(number) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit]


@contextlib.contextmanager
def running_floor() -> Iterator[str]:
    port = free_port()
    with running([sys.executable, str(BENCH / "floor.py"), str(port)], f"http://127.0.0.1:{port}", {}) as url:
        yield url


@contextlib.contextmanager
def running_ingest(folder: Path, queue: str) -> Iterator[str]:
    port = free_port()
    directory = folder / "sluice.toml"
    directory.write_text(DIRECTORY)
    prefix = f"sluice-bench-{os.getpid()}"
    environment = {
        "SLUICE_QUEUE": queue,
        "SLUICE_QUEUE_PREFIX": prefix,
        "SLUICE_DIRECTORY": str(directory),
        "SLUICE_INGEST_PORT": str(port),
        "SLUICE_LOG_LEVEL": "WARNING",
    }
    sluice = str(Path(sys.executable).with_name("sluice"))
    try:
        with running([sluice, "ingest"], f"http://127.0.0.1:{port}", environment) as url:
            yield url
    finally:
        if queue == AMQP_URL:
            delete_queues(AMQP_URL, prefix)


@contextlib.contextmanager
def running(command: list[str], url: str, environment: dict[str, str]) -> Iterator[str]:
    """Run a server until the block ends; it is there once it takes a request."""
    paths = {"PYTHONPATH": str(BENCH.parent)}
    process = subprocess.Popen(command, env={**os.environ, **paths, **environment})
    try:
        deadline = time.monotonic() + 20
        while not takes_uplinks(url):
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"bench: {command} does not answer")
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=30)


def takes_uplinks(url: str) -> bool:
    headers = {"Content-Type": "application/json", "Authorization": TOKEN}
    request = urllib.request.Request(f"{url}/uplink", json.dumps(UPLINK).encode(), headers)  # noqa: S310 - our own server
    try:
        with urllib.request.urlopen(request, timeout=2) as response:  # noqa: S310 - our own server
            return bool(response.status == 202)
    except OSError:
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def report(results: dict[tuple[str, str, int], list[Measurement]]) -> None:
    """Print a Markdown table, as docs/performance.md holds it."""
    print("| body | connections | system | requests/s | spread | p50 ms | p99 ms | of the floor |")
    print("| --- | ---: | --- | ---: | --- | ---: | ---: | ---: |")
    for (body, system, connections), runs in results.items():
        rates = [run.requests_per_second for run in runs]
        p50, p99 = (statistics.median(getattr(run, name) for run in runs) for name in ("p50_ms", "p99_ms"))
        share = statistics.median(rates) / median_rate(results[body, "floor", connections])
        spread = f"{min(rates):,.0f} to {max(rates):,.0f}"
        rate = f"{statistics.median(rates):,.0f}"
        print(f"| {body} | {connections} | {system} | {rate} | {spread} | {p50:.1f} | {p99:.1f} | {share:.2f} |")


def median_rate(runs: list[Measurement]) -> float:
    return statistics.median(run.requests_per_second for run in runs)


if __name__ == "__main__":
    main()
