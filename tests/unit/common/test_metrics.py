"""Every metric is declared in common/metrics.py, and whoever reads metrics reads declared ones."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.metrics import REGISTRY

ROOT = Path(__file__).parents[3]
PACKAGES = ("cli", "common", "ingest", "registry", "workers")
KINDS = {"Counter", "Gauge", "Histogram", "Summary", "Info", "Enum"}
READERS = [
    *(ROOT / "deploy").rglob("*.yml"),
    *(ROOT / "deploy").rglob("*.yaml"),
    *(ROOT / "deploy").rglob("*.json"),
    *(ROOT / "docs").rglob("*.md"),
    ROOT / "cli" / "counters.py",
]
NO_METRICS = {"sluice_network", "sluice_parser"}
"""Words of the documents that begin like a metric."""


def list_declared() -> set[str]:
    """Give the names of all series, also of those that have no sample yet."""
    families = list(REGISTRY.collect())
    names = {family.name for family in families}
    names |= {f"{family.name}_total" for family in families if family.type == "counter"}
    return names | {
        f"{f.name}_{part}" for f in families if f.type == "histogram" for part in ("bucket", "sum", "count")
    }


def find_imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("prometheus_client"):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("prometheus_client"))


def test_nobody_else_makes_a_metric() -> None:
    makers = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if KINDS & set(find_imports(path)) or "prometheus_client" in find_imports(path)
    }
    assert makers == {"common/metrics.py"}


@pytest.mark.parametrize("path", READERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_whoever_reads_a_metric_reads_a_declared_one(path: Path) -> None:
    named = set(re.findall(r"(?<![\w/.$-])sluice_[a-z_]+[a-z](?![\w/*])", path.read_text()))
    assert named - list_declared() <= NO_METRICS


def test_the_readers_are_there() -> None:
    assert {"rules.yml", "sluice.json", "scaling.yaml", "operations.md"} <= {path.name for path in READERS}
