"""Run wrk, the load generator for answer times: everything is posted as fast as the connections allow."""

import asyncio
import math
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.uplinks import AUTHORIZATION

SCRIPT = """
wrk.method = "POST"
wrk.body = [==[{body}]==]
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "{token}"
"""


@dataclass(frozen=True, slots=True)
class Load:
    """One run of wrk: requests in all and a second, and times to the answer in milliseconds."""

    requests: int
    rate: float
    p50_ms: float
    p99_ms: float


def require_wrk() -> None:
    if not shutil.which("wrk"):
        sys.exit("bench: wrk is missing; Debian and Ubuntu have it as the package 'wrk'")


async def run_wrk(url: str, body: bytes, *, connections: int, seconds: float) -> Load:
    """Run for so long, in whole seconds: wrk takes no others. Raises RuntimeError for an answer other than 2xx."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "post.lua"
        script.write_text(SCRIPT.format(body=body.decode(), token=AUTHORIZATION))
        command = ("wrk", "-t1", f"-c{connections}", f"-d{math.ceil(seconds)}s", "--latency", "-s", str(script), url)
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        output = (await process.communicate())[0].decode()
    if refused := re.search(r"Non-2xx or 3xx responses: (\d+)|Socket errors: .*", output):
        raise RuntimeError(f"{url} did not take every request: {refused[0]}")
    return Load(
        requests=int(_find(r"(\d+) requests in", output)),
        rate=float(_find(r"Requests/sec:\s+([\d.]+)", output)),
        p50_ms=_to_milliseconds(_find(r"(?m)^ +50% +(\S+)", output)),
        p99_ms=_to_milliseconds(_find(r"(?m)^ +99% +(\S+)", output)),
    )


def _find(pattern: str, output: str) -> str:
    match = re.search(pattern, output)
    assert match, output
    return match[1]


def _to_milliseconds(text: str) -> float:
    match = re.fullmatch(r"([\d.]+)(us|ms|s)", text)
    assert match, text
    return float(match[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[match[2]]
