"""Microseconds and instructions of mapping one uplink: flat, nested as ChirpStack sends it, and with 100 fields.

The time is pytest-benchmark's (bench/test_mapping.py); it says what this machine did today. The instructions are
callgrind's (bench/instructions.py), and are the same whatever else the machine does.
"""

import asyncio
import json
import sys
import tempfile
from pathlib import Path

from bench.instructions import count_all
from bench.options import Options
from bench.programs import REPOSITORY
from bench.rows import Results


async def measure(options: Options) -> None:
    """Time each shape, then count."""
    results = Results("mapping", options)
    for name, stats in (await run_pytest(options.seconds)).items():
        figures = {key: stats[key] * 1e6 for key in ("median", "min", "max")}
        results.add("time", name, **{f"{key}_us": value for key, value in figures.items()})
    for name, count in (await asyncio.to_thread(count_all)).items():
        results.add("instructions", name, count=count)


async def run_pytest(seconds: float) -> dict[str, dict[str, float]]:
    """Give the statistics of pytest-benchmark by shape, in seconds."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "benchmark.json"
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pytest", "-q", "bench/test_mapping.py", f"--benchmark-json={output}"),
            f"--benchmark-max-time={min(seconds, 2)}",
            cwd=REPOSITORY,
            stdout=sys.stderr,
        )
        if await process.wait() != 0:
            raise RuntimeError("bench/test_mapping.py failed")
        document = json.loads(output.read_text())
    return {each["params"]["shape"]: each["stats"] for each in document["benchmarks"]}
