"""Where and when something was measured, and with which versions."""

import json
import os
import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import aiormq

from bench.options import Options
from bench.programs import REPOSITORY

OURS = ("aio-pika", "aiohttp", "httpx", "orjson", "uvicorn", "uvloop", "httptools")
PEERS = ("fastapi", "faststream", "starlette", "taskiq", "taskiq-aio-pika", "aio-pika", "httpx", "uvicorn")


def describe_conditions(options: Options) -> dict[str, Any]:
    """Give the machine, the versions and the load at the beginning."""
    return {
        "command": options.command,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": _read_processor_name(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "kernel": platform.release(),
        "python": f"{platform.python_version()} ({_name_builder()})",
        "load": round(os.getloadavg()[0], 1),
        "versions": {
            **{name: version(name) for name in OURS},
            "RabbitMQ": options.broker,
            "Node.js": _run("node", "--version").lstrip("v"),
            "wrk": _read_wrk_version(),
        },
        "peers": {**_read_python_peers(), **_read_node_peers()},
    }


def _read_processor_name() -> str:
    match = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return match[1] if match else platform.machine()


def _name_builder() -> str:
    """Say who built the interpreter: distributions optimise theirs by a profile, which makes it a third faster."""
    return f"{platform.freedesktop_os_release()['NAME']}'s" if sys.base_prefix == "/usr" else "not a distribution's"


def _read_wrk_version() -> str:
    match = re.search(r"wrk (\S+)", _run("wrk", "--version"))
    return match[1] if match else "not there"


async def read_broker_version(url: str) -> str:
    """Ask a RabbitMQ for its version."""
    connection = await aiormq.connect(url)
    try:
        return str(connection.server_properties["version"])
    finally:
        await connection.close()


def _read_python_peers() -> dict[str, str]:
    python = REPOSITORY / "build" / "peers" / "python" / "bin" / "python"
    code = f"import importlib.metadata as m, json; print(json.dumps({{n: m.version(n) for n in {PEERS!r}}}))"
    output = _run(str(python), "-c", code)
    return json.loads(output) if output else {}


def _read_node_peers() -> dict[str, str]:
    modules = REPOSITORY / "build" / "peers" / "node" / "node_modules"
    packages = [modules / name / "package.json" for name in ("amqplib", "undici")]
    return {path.parent.name: json.loads(path.read_text())["version"] for path in packages if path.exists()}


def _run(*command: str) -> str:
    """Give what a command writes; nothing where it is not there."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False).stdout.strip()
    except OSError:
        return ""
