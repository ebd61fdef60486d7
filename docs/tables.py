"""Write the tables of docs/operations.md that the code knows: ``python -m docs.tables``, or ``make docs``.

Each stands between two markers in the document; everything else there is written by hand.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import Metric
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from common import metrics
from common.remedy import REMEDIES
from common.settings import Settings

PAGE = Path(__file__).parent / "operations.md"
RULES = Path(__file__).parents[1] / "deploy" / "prometheus" / "rules.yml"


def write_tables(page: str) -> str:
    """Give the page with every table as the code has it today. Raises ValueError for a marker that is missing."""
    for name, make_table in TABLES.items():
        begin, end = f"<!-- {name}: written by `make docs` -->\n", f"<!-- {name} ends -->"
        if page.count(begin) != 1 or page.count(end) != 1:
            raise ValueError(f"the page has not exactly one place for the table {name!r}")
        before, _, rest = page.partition(begin)
        page = f"{before}{begin}\n{make_table()}\n{end}{rest.partition(end)[2]}"
    return page


def make_settings_table() -> str:
    """Every setting, in the order in which the code declares them."""
    prefix = Settings.model_config["env_prefix"]
    rows = (
        (f"`{prefix}{name.upper()}`", _show_default(f), f.description or "")
        for name, f in Settings.model_fields.items()
    )
    return _format(("setting", "default", "what"), rows)


def make_metrics_table() -> str:
    """Every metric, by the name that its series have."""
    rows = (
        (f"`{_name_series(family)}`", family.type, ", ".join(f"`{label}`" for label in labels), family.documentation)
        for family, labels in _list_metrics()
    )
    return _format(("metric", "kind", "labels", "what"), rows)


def make_remedies_table() -> str:
    """What to do about each reason of a dead letter."""
    return _format(("reason", "what to do"), ((f"`{reason}`", remedy) for reason, remedy in REMEDIES.items()))


def make_alerts_table() -> str:
    """Every alert: when it is raised, and what to do."""
    groups: list[dict[str, Any]] = yaml.safe_load(RULES.read_text())["groups"]
    rules = (rule for group in groups for rule in group["rules"] if "alert" in rule)
    rows = (
        (f"`{rule['alert']}`", rule["labels"]["severity"], rule.get("for", ""), rule["annotations"]["action"])
        for rule in rules
    )
    return _format(("alert", "severity", "after", "what to do"), rows)


TABLES: Mapping[str, Callable[[], str]] = {
    "settings": make_settings_table,
    "metrics": make_metrics_table,
    "remedies": make_remedies_table,
    "alerts": make_alerts_table,
}


def _list_metrics() -> list[tuple[Metric, Sequence[str]]]:
    """Give every metric that common/metrics.py declares, with the names of its labels."""
    declared = [value for value in vars(metrics).values() if isinstance(value, MetricWrapperBase)]
    return [(family, metric._labelnames) for metric in declared for family in metric.describe()]  # noqa: SLF001 - nothing else tells them


def _show_default(setting: FieldInfo) -> str:
    default = setting.default
    if default is None or isinstance(default, SecretStr):
        return ""
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"


def _name_series(family: Metric) -> str:
    return f"{family.name}_total" if family.type == "counter" else family.name


def _format(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


if __name__ == "__main__":
    PAGE.write_text(write_tables(PAGE.read_text()))
