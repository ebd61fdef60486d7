"""A device's numbers over time, as the points of small pictures. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from common.registry_requests import Document

WIDTH: Final = 300
HEIGHT: Final = 60
MARGIN: Final = 4

LEAST_POINTS: Final = 2
MOST_PLOTS: Final = 6
"""Variables that are drawn, those with the most records; the table has all of them."""


@dataclass(frozen=True, slots=True)
class Plot:
    """One variable: its points as an SVG polyline takes them, and what a person reads beside them."""

    variable: str
    unit: str
    points: str
    least: float
    most: float
    newest: float
    count: int
    begin: datetime
    end: datetime


def plot_records(records: Iterable[Document]) -> list[Plot]:
    """Draw the variables whose values are numbers, from the records of one device, in any order."""
    series: defaultdict[str, list[tuple[datetime, float]]] = defaultdict(list)
    units: dict[str, str] = {}
    for record in records:
        value = record.get("value")
        if isinstance(value, int | float) and not isinstance(value, bool):
            series[record["variable"]].append((datetime.fromisoformat(record["time"]), value))
            units[record["variable"]] = record.get("unit") or ""
    drawn = [(name, sorted(points)) for name, points in series.items() if len(points) >= LEAST_POINTS]
    drawn.sort(key=lambda each: (-len(each[1]), each[0]))
    return [_draw(name, units[name], points) for name, points in drawn[:MOST_PLOTS]]


def _draw(variable: str, unit: str, series: Sequence[tuple[datetime, float]]) -> Plot:
    values = [value for _, value in series]
    times = [moment.timestamp() for moment, _ in series]
    points = zip(_scale(times, WIDTH), (HEIGHT - y for y in _scale(values, HEIGHT)), strict=True)
    return Plot(
        variable=variable,
        unit=unit,
        points=" ".join(f"{x:.1f},{y:.1f}" for x, y in points),
        least=min(values),
        most=max(values),
        newest=values[-1],
        count=len(values),
        begin=series[0][0],
        end=series[-1][0],
    )


def _scale(numbers: Sequence[float], length: int) -> list[float]:
    """Spread numbers over a length without its margins; numbers that are all alike lie in its middle."""
    least, most = min(numbers), max(numbers)
    if least == most:
        return [length / 2] * len(numbers)
    inner = length - 2 * MARGIN
    # Divided first, so that numbers near the greatest float do not overflow in their difference.
    span = most / 2 - least / 2
    return [MARGIN + inner * ((number / 2 - least / 2) / span) for number in numbers]
