"""Measured figures as Markdown: medians, the spread of what counts, and ratios."""

import statistics
from collections.abc import Mapping

from bench.rows import Measured

MANY_ENOUGH = 2
"""Runs that have a spread."""

ONCE = " (once)"
"""Ends the name of a case that only makes a point of a curve."""


def render_table(
    measured: Measured, figures: Mapping[str, str], *, case: str, compared: Mapping[str, str] | None = None
) -> str:
    """Give a table with a row for each cell.

    ``figures`` are the columns, each the median with the spread over all runs; ``compared`` gives columns that divide
    the first of them by that of another system in the same case.
    """
    compared = compared or {}
    first, *others = figures
    head = [case, "system", "runs", figures[first], "spread", *(figures[name] for name in others), *compared]
    lines = [f"| {' | '.join(head)} |", f"| --- | --- {'| ---: ' * (len(head) - 2)}|"]
    for name, system in sorted(measured.cells(), key=lambda cell: _order(measured, cell[0])):
        if name.endswith(ONCE) or not (series := measured.series(system, name, first)):
            continue
        median = _format(measured.median(system, name, first))
        cells = [name, system, str(len(series)), median, _format_spread(series)]
        cells += [_format_with_spread(measured.series(system, name, other)) for other in others]
        cells += [_format_ratio(measured.ratio(name, first, system, to)) for to in compared.values()]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def describe(measured: Measured) -> str:
    """Give the conditions under which a section was measured."""
    conditions = measured.conditions
    versions = ", ".join(f"{name} {number}" for name, number in conditions["versions"].items())
    peers = ", ".join(f"{name} {number}" for name, number in conditions["peers"].items())
    return (
        f"`{conditions['command']}`, {conditions['at'][:10]}; {conditions['processor']}, "
        f"{conditions['cores']} cores, {conditions['memory_gib']} GiB, Linux {conditions['kernel']}, "
        f"load at first {conditions['load']}; "
        f"Python {conditions['python']}, {versions}. Peers: {peers}."
    )


def _order(measured: Measured, case: str) -> int:
    return next(number for number, row in enumerate(measured.rows) if row.case == case)


def _format(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _format_spread(series: list[float]) -> str:
    return f"{_format(min(series))} to {_format(max(series))}" if len(series) >= MANY_ENOUGH else "-"


def _format_with_spread(series: list[float]) -> str:
    median = _format(statistics.median(series) if series else None)
    return median if len(series) < MANY_ENOUGH else f"{median} ({_format_spread(series)})"


def _format_ratio(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.2f}"
