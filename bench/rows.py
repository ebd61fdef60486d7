"""Raw results: one file of JSON lines for each section in build/bench, the conditions first."""

import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.machine import describe_conditions
from bench.options import Options
from bench.programs import REPOSITORY

FOLDER = REPOSITORY / "build" / "bench"


@dataclass(frozen=True, slots=True)
class Row:
    """One run of one system in one case; ``figures`` by name, with the unit in it."""

    system: str
    case: str
    figures: Mapping[str, float]


class Results:
    """A section's rows as they are measured; what an earlier run left is forgotten."""

    def __init__(self, section: str, options: Options) -> None:
        self._section = section
        FOLDER.mkdir(parents=True, exist_ok=True)
        self._file = _path(section)
        self._file.write_text(json.dumps(describe_conditions(options)) + "\n")

    def add(self, system: str, case: str, **figures: float) -> None:
        with self._file.open("a") as lines:
            lines.write(json.dumps(asdict(Row(system, case, figures))) + "\n")
        told = ", ".join(f"{name} {value:,.1f}" for name, value in figures.items())
        print(f"{self._section}: {system}, {case}: {told}", file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True)
class Measured:
    """What a section left."""

    conditions: Mapping[str, Any]
    rows: Sequence[Row]

    def cells(self) -> list[tuple[str, str]]:
        """Give (case, system) of all rows, each once, in the order in which they came first."""
        return list(dict.fromkeys((row.case, row.system) for row in self.rows))

    def series(self, system: str, case: str, figure: str) -> list[float]:
        """Give a figure of every run of one cell."""
        return [
            row.figures[figure]
            for row in self.rows
            if row.system == system and row.case == case and figure in row.figures
        ]

    def median(self, system: str, case: str, figure: str) -> float | None:
        """Give the median of a cell; None where it was not measured."""
        series = self.series(system, case, figure)
        return statistics.median(series) if series else None

    def ratio(self, case: str, figure: str, system: str, to: str, *, to_case: str | None = None) -> float | None:
        """Give the median of one system by that of another; None where one of them was not measured."""
        ours, theirs = self.median(system, case, figure), self.median(to, to_case or case, figure)
        return ours / theirs if ours is not None and theirs else None


def read_section(section: str) -> Measured | None:
    """Give what the newest run of a section left; None when it has not run here."""
    if not _path(section).exists():
        return None
    conditions, *rows = (json.loads(line) for line in _path(section).read_text().splitlines())
    return Measured(conditions, [Row(**row) for row in rows])


def _path(section: str) -> Path:
    return FOLDER / f"{section}.jsonl"
