"""Prometheus and Grafana of docker-compose.yml: what is mounted, found and shown fits together."""

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from common.settings import Settings

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana" / "dashboards" / "sluice.json").read_text())
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}


def read(*path: str) -> Any:
    return yaml.safe_load((DEPLOY.joinpath(*path)).read_text())


def mounts(service: str) -> dict[str, str]:
    """Give what is mounted where, without what is kept in a volume."""
    parts = (mount.split(":") for mount in COMPOSE["services"][service]["volumes"])
    return {part[1]: part[0] for part in parts if part[0].startswith("./")}


def test_monitoring_is_a_profile_that_nobody_gets_unasked() -> None:
    for service in ("prometheus", "grafana"):
        assert COMPOSE["services"][service]["profiles"] == ["monitoring"]
        assert all(port.startswith("127.0.0.1:") for port in COMPOSE["services"][service]["ports"])


def test_prometheus_asks_the_roles_that_uplinks_pass_at_their_ports() -> None:
    jobs = read("prometheus", "prometheus.yml")["scrape_configs"]
    assert [job["job_name"] for job in jobs] == ["ingest", "worker", "registry"]
    for job in jobs:
        [found] = job["dns_sd_configs"]
        assert found["names"] == [job["job_name"]]
        assert job["job_name"] in COMPOSE["services"]
        assert found["port"] == Settings.model_fields[f"{job['job_name']}_port"].default
    assert (DEPLOY / "prometheus" / read("prometheus", "prometheus.yml")["rule_files"][0]).exists()


def test_grafana_finds_what_is_provisioned() -> None:
    mounted = mounts("grafana")
    assert mounted["/etc/grafana/provisioning"] == "./deploy/grafana/provisioning"
    [provider] = read("grafana", "provisioning", "dashboards", "sluice.yml")["providers"]
    assert (ROOT / mounted[provider["options"]["path"]] / "sluice.json").exists()
    [source] = read("grafana", "provisioning", "datasources", "prometheus.yml")["datasources"]
    assert (source["type"], source["url"]) == ("prometheus", "http://prometheus:9090")
    interval = read("prometheus", "prometheus.yml")["global"]["scrape_interval"]
    assert source["jsonData"]["timeInterval"] == interval, "else Grafana's rates have too few samples"


def test_the_dashboard_is_one_that_grafana_takes() -> None:
    assert DASHBOARD["uid"]
    assert DASHBOARD["schemaVersion"] >= 39
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    [variable] = DASHBOARD["templating"]["list"]
    assert (variable["name"], variable["type"], variable["query"]) == ("datasource", "datasource", "prometheus")


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_asks_the_chosen_datasource(panel: dict[str, Any]) -> None:
    if panel["type"] == "alertlist":
        return
    assert panel["datasource"] == DATASOURCE
    assert panel["targets"]
    assert {target["datasource"]["uid"] for target in panel["targets"]} == {DATASOURCE["uid"]}
    refs = [target["refId"] for target in panel["targets"]]
    assert len(set(refs)) == len(refs)


def test_no_panel_covers_another() -> None:
    for one, other in combinations((panel["gridPos"] for panel in DASHBOARD["panels"]), 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below
        assert one["x"] + one["w"] <= 24


def test_every_alert_says_what_is_wrong_and_what_to_do() -> None:
    alerts = [rule for group in read("prometheus", "rules.yml")["groups"] for rule in group["rules"] if "alert" in rule]
    assert {"SluiceUplinksMissing", "SluiceDeadLettersGrowing", "SluiceOldestUplinkTooOld"} <= {
        alert["alert"] for alert in alerts
    }
    for alert in alerts:
        assert alert["annotations"].keys() == {"summary", "action"}
        assert alert["labels"]["severity"] in {"warning", "critical"}
