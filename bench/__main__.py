"""Measure Sluice beside its peers, and write docs/performance.md from what was measured.

    .venv/bin/python -m bench                      every short section, then the page: `make bench`
    .venv/bin/python -m bench console              what the console's inspector costs: `make bench-console`
    .venv/bin/python -m bench long                 the long ones, then the page: `make bench-long`
    .venv/bin/python -m bench ingest worker --seconds 1 --rounds 1 --no-page
    .venv/bin/python -m bench page                 the page again, from build/bench

Everything runs on this machine, with the RabbitMQ at SLUICE_TEST_AMQP_URL (else 127.0.0.1:5672).
"""

import argparse
import asyncio
import inspect
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop

from bench import backlog, console, end_to_end, ingest, mapping, memory, scale, sink_alone, worker
from bench.machine import read_broker_version
from bench.options import Options
from bench.systems import AMQP_URL

Measure = Callable[[Options], Coroutine[Any, Any, None]]

SHORT: dict[str, Measure] = {
    "sink": sink_alone.measure,
    "ingest": ingest.measure,
    "worker": worker.measure,
    "end_to_end": end_to_end.measure,
    "scale": scale.measure,
    "mapping": mapping.measure,
}
CONSOLE: dict[str, Measure] = {"console": console.measure}
LONG: dict[str, Measure] = {"backlog": backlog.measure, "memory": memory.measure}
ALL = SHORT | CONSOLE | LONG


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=(inspect.getdoc(sys.modules[__name__]) or ""))
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"short, long, page, {', '.join(ALL)}")
    parser.add_argument("--seconds", type=float, default=5.0, help="of one run")
    parser.add_argument("--rounds", type=int, default=5, help="in which the systems take turns")
    parser.add_argument("--scale", type=float, default=1.0, help="of the long sections' numbers of uplinks")
    parser.add_argument("--no-page", action="store_true", help="leave docs/performance.md as it is")
    arguments = parser.parse_args()
    command = " ".join(["python -m bench", *sys.argv[1:]])
    broker = asyncio.run(read_broker_version(AMQP_URL))
    options = Options(arguments.seconds, arguments.rounds, arguments.scale, command, broker)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # processes and queues are not left behind by either
    began = time.monotonic()
    for name in choose_sections(arguments.sections or ["short"], parser):
        uvloop.run((ALL)[name](options))
    print(f"measured in {(time.monotonic() - began) / 60:.1f} minutes", file=sys.stderr)
    if not arguments.no_page:
        from bench.page import write_page  # noqa: PLC0415 - matplotlib is wanted by nothing else

        write_page()


def choose_sections(words: list[str], parser: argparse.ArgumentParser) -> list[str]:
    """Give the names of the sections that these words mean."""
    groups = {"short": [*SHORT], "long": [*LONG], "page": []}
    names = [name for word in words for name in groups.get(word, [word])]
    for name in names:
        if name not in ALL:
            parser.error(f"no section {name!r}")
    return names


if __name__ == "__main__":
    main()
