"""Write the table of docs/reliability.md from the rows that the fault suite left.

    .venv/bin/python -m bench.reliability

Each cell's newest row counts. What stands between the two marks in the page is replaced, and nothing else.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[1]
ROWS = REPOSITORY / "build" / "faults.jsonl"
PAGE = REPOSITORY / "docs" / "reliability.md"
BEGIN, END = "<!-- cells: begin -->", "<!-- cells: end -->"

TITLES = {
    "test_processes.py": "Sluice's own processes",
    "test_broker.py": "The broker",
    "test_downstream.py": "The downstream",
    "test_resolver.py": "Resolving, and the directory",
    "test_poison.py": "Poison",
    "test_overload.py": "Overload",
    "test_run.py": "Everything in one process, on SQLite",
}
"""The files of tests/faults, in the order of the page."""

HEAD = (
    "| cell | accepted | delivered | dead | lost | twice, and why | recovered, s | on | date |\n"
    "| --- | ---: | ---: | --- | ---: | --- | ---: | --- | --- |"
)


def main() -> None:
    """Render, and say how many cells there are."""
    rows = read_newest(ROWS.read_text().splitlines())
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{render(rows)}\n{END}{after}")
    print(f"{len(rows)} cells, {sum(not row['passed'] for row in rows)} of them failed")


def read_newest(lines: Iterable[str]) -> list[Mapping[str, Any]]:
    """Give the last row of each cell, in the order of the page."""
    newest = {(row["place"][0], row["cell"]): row for row in map(json.loads, lines)}
    files = list(TITLES)
    return sorted(newest.values(), key=lambda row: (files.index(row["place"][0]), row["place"][1]))


def render(rows: Iterable[Mapping[str, Any]]) -> str:
    """Give a table for each file that has rows."""
    tables: dict[str, list[str]] = {}
    for row in rows:
        tables.setdefault(row["place"][0], []).append(render_row(row))
    return "\n".join(f"### {TITLES[file]}\n\n{HEAD}\n{chr(10).join(lines)}\n" for file, lines in tables.items())


def render_row(row: Mapping[str, Any]) -> str:
    """Give one line; a cell that failed says so."""
    cell = ("" if row["passed"] else "**failed:** ") + row["cell"] + (f" ({row['note']})" if row["note"] else "")
    dead = ", ".join(f"{count:,} `{reason}`" for reason, count in sorted(row["dead"].items())) or "0"
    twice = f"{row['duplicates']:,}: {row['explained']}" if row["duplicates"] else "0"
    recovered = "" if row["recovered"] is None else f"{row['recovered']:.1f}"
    figures = [f"{row['accepted']:,}", f"{row['delivered']:,}", dead, f"{row['lost']:,}", twice, recovered]
    return f"| {' | '.join([cell, *figures, row['broker'], row['date']])} |"


if __name__ == "__main__":
    main()
