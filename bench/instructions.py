"""Instructions that mapping one uplink takes, by callgrind, beside those kept in bench/instructions.json.

    .venv/bin/python -m bench.instructions           exits with 1 when a shape takes 3 % more than is kept, and
                                                     with 77 when what is kept is another interpreter's
    .venv/bin/python -m bench.instructions --keep    keeps what it counts

A count is the difference of two runs, so that starting Python is not in it. It does not depend on what else the machine
does, and it does on the interpreter: counts of another version or architecture are not compared.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.programs import REPOSITORY
from bench.shapes import SHAPES

KEPT = Path(__file__).with_name("instructions.json")
FEW, MANY = 20, 520
TOLERANCE = 1.03
NOT_COMPARED = 77
"""The exit code by which a test says that it was skipped."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--keep", action="store_true")
    arguments = parser.parse_args()
    interpreter = describe_interpreter()
    if arguments.keep:
        KEPT.write_text(json.dumps({"interpreter": interpreter, "mapping": count_all()}, indent=2) + "\n")
        return
    kept = json.loads(KEPT.read_text())
    if kept["interpreter"] != interpreter:
        print(f"this is {interpreter}, and what is kept was counted on {kept['interpreter']}: not compared")
        sys.exit(NOT_COMPARED)
    sys.exit(compare(kept["mapping"], count_all()))


def compare(before: Mapping[str, int], now: Mapping[str, int]) -> int:
    """Print both, and give the exit code."""
    worse = [name for name in now if now[name] > before.get(name, 0) * TOLERANCE]
    for name, count in now.items():
        print(f"{name}: {count:,}, kept {before.get(name, 0):,}{'  MORE' if name in worse else ''}")
    return 1 if worse else 0


def count_all() -> dict[str, int]:
    """Give the instructions of one uplink of each shape."""
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as threads:
        return dict(zip(SHAPES, threads.map(count_instructions, SHAPES), strict=True))


def count_instructions(shape: str) -> int:
    """Give the instructions of mapping one uplink of this shape."""
    return round((_run(shape, MANY) - _run(shape, FEW)) / (MANY - FEW))


def describe_interpreter() -> str:
    return f"{platform.python_implementation()} {platform.python_version()} {platform.machine()}"


def _run(shape: str, times: int) -> int:
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    command += [sys.executable, "-m", "bench.shapes", shape, str(times)]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    output = subprocess.run(command, env=environment, cwd=REPOSITORY, capture_output=True, text=True, check=True).stderr
    match = re.search(r"Collected : (\d+)", output)
    assert match, output
    return int(match[1])


if __name__ == "__main__":
    main()
