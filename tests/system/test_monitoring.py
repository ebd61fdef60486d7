"""Alert rules and the dashboard before a real Prometheus that reads real processes. Imports nothing of Sluice."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.support.prometheus import Prometheus, run_promtool
from tests.support.roles import Roles
from tests.support.waiting import eventually

DEPLOY = Path(__file__).parents[2] / "deploy"
DASHBOARD = json.loads((DEPLOY / "grafana" / "dashboards" / "sluice.json").read_text())
PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
UPLINKS = 30


def list_queries() -> list[str]:
    """Give every query of the dashboard as Grafana would ask it, and the one that KEDA scales by."""
    targets = [target for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]
    [trigger] = yaml.safe_load((DEPLOY / "kubernetes" / "scaling.yaml").read_text())["spec"]["triggers"]
    return [*(target["expr"].replace("$__rate_interval", "1m") for target in targets), trigger["metadata"]["query"]]


@pytest.fixture
def roles(tmp_path: Path) -> Iterator[Roles]:
    roles = Roles(f"sqlite:{tmp_path / 'queue.db'}", tmp_path)
    yield roles
    roles.close()


@pytest.fixture
async def prometheus(roles: Roles, tmp_path: Path) -> AsyncIterator[Prometheus]:
    """A Prometheus that has seen a registry, an ingest and a worker before and after they delivered something."""
    registry = roles.start("registry")
    device = roles.command("device", "create", "AA-BB-01", "--key", "demo")
    ingest, worker = roles.start("ingest"), roles.start("worker")
    prometheus = Prometheus(
        tmp_path,
        {"ingest": [ingest], "worker": [worker], "registry": [registry]},
        rules=[DEPLOY / "prometheus" / "rules.yml"],
    )
    await prometheus.wait_until_ready()
    # An increase needs a sample from before it.
    await eventually(lambda: len(prometheus.ask("sluice_process_start_time_seconds")) == 3, within=60)

    def send(number: int) -> int:
        body: list[dict[str, Any]] = [{"serial": serial, "mark": number} for serial in ("AA-BB-01", "UNKNOWN")]
        headers = {"Authorization": device["key"]["token"]}
        return httpx.post(f"{ingest.url}/uplink", json=body, headers=headers).status_code

    await eventually(lambda: send(0) == httpx.codes.ACCEPTED)  # the ingest knows the new key
    assert {send(number) for number in range(1, UPLINKS)} == {httpx.codes.ACCEPTED}
    delivered = "sluice_uplinks_delivered_total"
    await eventually(lambda: [s["value"][1] for s in prometheus.ask(delivered) if s["value"][1] == str(UPLINKS)])
    yield prometheus
    prometheus.close()


def test_promtool_finds_nothing_wrong_with_the_rules() -> None:
    assert "SUCCESS" in run_promtool("check", "rules", str(DEPLOY / "prometheus" / "rules.yml"))
    run_promtool("check", "config", str(DEPLOY / "prometheus" / "prometheus.yml"))


def test_each_alert_is_raised_where_it_has_to_be_and_not_where_it_must_not() -> None:
    run_promtool("test", "rules", str(DEPLOY / "prometheus" / "rules_test.yml"))


async def test_every_query_of_the_dashboard_and_of_the_scaling_has_an_answer(prometheus: Prometheus) -> None:
    async def answered(query: str) -> list[dict[str, Any]]:
        return await eventually(lambda: prometheus.ask(query), within=60)

    for query in list_queries():
        assert await answered(query), query


async def test_the_rules_are_evaluated_without_an_error_and_nothing_is_alarmed(prometheus: Prometheus) -> None:
    await eventually(lambda: all(rule["health"] != "unknown" for rule in prometheus.list_rules()), within=90)
    rules = prometheus.list_rules()
    assert {rule["health"] for rule in rules} == {"ok"}, [rule.get("lastError") for rule in rules]
    firing = {sample["metric"]["alertname"] for sample in prometheus.ask('ALERTS{alertstate="firing"}')}
    assert firing == set()


async def test_every_series_is_in_the_table_of_metrics(prometheus: Prometheus) -> None:
    names = {sample["metric"]["__name__"] for sample in prometheus.ask('{__name__=~"sluice_.*"}')}
    declared = set(re.findall(r"^\| `(sluice_\w+)` \|", PAGE, re.MULTILINE))
    assert len(names) > 30
    for name in names:
        base = re.sub(r"_(bucket|sum|count|created)$", "", name)
        assert {base, f"{base}_total"} & declared, name
