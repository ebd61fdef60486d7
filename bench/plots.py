"""The plots of docs/performance.md: small SVG files in docs/img."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import matplotlib as mpl

mpl.use("svg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from bench.programs import REPOSITORY

FOLDER = REPOSITORY / "docs" / "img"

Curve: TypeAlias = Sequence[tuple[float, float]]
"""Points from left to right."""

STYLE: Any = {
    "svg.hashsalt": "sluice",  # the same figures make the same file
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "figure.figsize": (7, 3.6),
}


def plot_latency(curves: Mapping[str, Curve]) -> str:
    """Throughput against p99, a point for each number of connections."""
    with plt.rc_context(STYLE):
        axes = _begin("requests a second", "p99, ms")
        for name, points in curves.items():
            axes.plot(*zip(*points, strict=True), marker="o", markersize=3, linewidth=1, label=name)
        axes.set_xscale("log")
        axes.set_yscale("log")
        return _save("throughput-latency")


def plot_backlog(curves: Mapping[str, Curve]) -> str:
    """Drain against what is left of a backlog."""
    with plt.rc_context(STYLE):
        axes = _begin("uplinks left in the queue", "uplinks a second")
        for name, points in curves.items():
            axes.plot(*zip(*points, strict=True), linewidth=1, label=name)
        axes.set_xscale("log")
        axes.invert_xaxis()
        axes.set_ylim(bottom=0)
        return _save("drain-backlog")


def plot_memory(curves: Mapping[str, Curve]) -> str:
    """Resident memory of each role over time."""
    with plt.rc_context(STYLE):
        axes = _begin("minutes", "resident, MB")
        for name, points in curves.items():
            axes.plot(*zip(*points, strict=True), linewidth=1, label=name)
        axes.set_ylim(bottom=0)
        return _save("memory")


def _begin(across: str, up: str) -> Axes:
    _, axes = plt.subplots()
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    return axes


def _save(name: str) -> str:
    """Write the current figure, and give its path from docs/."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{name}.svg"
    plt.legend(frameon=False)
    plt.tight_layout()
    plt.savefig(path, metadata={"Date": None, "Creator": None})
    plt.close()
    path.write_text(re.sub(r"[ \t]+$", "", path.read_text(), flags=re.MULTILINE))
    return f"img/{name}.svg"
