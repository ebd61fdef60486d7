"""The manifests: valid by Kubernetes' own schemas, and true about Sluice."""

import re
from pathlib import Path
from typing import Any

import httpx
import kubernetes_validate
import pytest
import yaml

from common.health import Health, create_health_routes
from common.settings import Settings

FOLDER = Path(__file__).parents[3] / "deploy" / "kubernetes"
DOCUMENTS: list[dict[str, Any]] = [
    document
    for path in sorted(FOLDER.glob("*.yaml"))
    if path.name != "kustomization.yaml"
    for document in yaml.safe_load_all(path.read_text())
]
DEPLOYMENTS = {d["metadata"]["name"]: d for d in DOCUMENTS if d["kind"] == "Deployment"}
VERSIONS = ("1.30", "1.33", "1.37")
SPARE_SECONDS = 5
"""Between the end of a process by its own time-outs and the moment when it would be killed."""


def by_name(document: Any) -> str:
    return f"{document['kind']}-{document['metadata']['name']}" if isinstance(document, dict) else str(document)


def select(kind: str) -> dict[str, dict[str, Any]]:
    return {d["metadata"]["name"]: d for d in DOCUMENTS if d["kind"] == kind}


def container(deployment: dict[str, Any]) -> dict[str, Any]:
    [only] = deployment["spec"]["template"]["spec"]["containers"]
    return dict(only)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("document", [d for d in DOCUMENTS if d["kind"] != "ScaledObject"], ids=by_name)
def test_a_manifest_fits_the_schema_of_kubernetes(document: dict[str, Any], version: str) -> None:
    kubernetes_validate.validate(document, version, strict=True)


def test_a_manifest_with_a_misspelt_field_would_be_found() -> None:
    broken = yaml.safe_load(yaml.safe_dump(DEPLOYMENTS["sluice-ingest"]))
    broken["spec"]["template"]["spec"]["enableServiceLink"] = False
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, VERSIONS[-1], strict=True)


def test_every_file_is_part_of_the_whole() -> None:
    kustomization = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
    assert set(kustomization["resources"]) == {p.name for p in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
    assert {container(deployment)["image"] for deployment in DEPLOYMENTS.values()} == {
        image["name"] for image in kustomization["images"]
    }


def test_every_role_has_what_it_needs() -> None:
    assert DEPLOYMENTS.keys() == {"sluice-console", "sluice-ingest", "sluice-registry", "sluice-worker"}
    assert DEPLOYMENTS.keys() <= select("Service").keys()
    assert select("PodDisruptionBudget").keys() == DEPLOYMENTS.keys() - {"sluice-console"}


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_deployment_and_its_budget_mean_the_same_pods(name: str) -> None:
    labels = DEPLOYMENTS[name]["spec"]["template"]["metadata"]["labels"]
    assert DEPLOYMENTS[name]["spec"]["selector"]["matchLabels"] == labels
    if (budget := select("PodDisruptionBudget").get(name)) is not None:
        assert budget["spec"]["selector"]["matchLabels"] == labels


@pytest.mark.parametrize("name", select("Service"))
def test_a_service_means_the_pods_of_its_deployment_at_their_port(name: str) -> None:
    service, deployment = select("Service")[name]["spec"], DEPLOYMENTS[name.removesuffix("-pods")]
    assert service["selector"] == deployment["spec"]["template"]["metadata"]["labels"]
    [port] = service["ports"]
    [listening] = container(deployment)["ports"]
    assert (port["port"], port["targetPort"]) == (listening["containerPort"], listening["name"])


def test_there_is_one_console_for_who_is_signed_in_is_in_its_memory() -> None:
    assert DEPLOYMENTS["sluice-console"]["spec"]["replicas"] == 1


def test_the_console_asks_the_registry_and_each_pod_of_every_other_role() -> None:
    variables = {each["name"]: each.get("value", "") for each in container(DEPLOYMENTS["sluice-console"])["env"]}
    urls = variables["SLUICE_CONSOLE_PROCESSES"].split(",")
    services = [select("Service")[httpx.URL(url).host]["spec"] for url in urls]
    assert [httpx.URL(url).port for url in urls] == [service["ports"][0]["port"] for service in services]
    assert all(each["clusterIP"] == "None" and each["publishNotReadyAddresses"] for each in services)
    roles = {each["selector"]["app.kubernetes.io/component"] for each in services}
    assert {f"sluice-{role}" for role in roles} == DEPLOYMENTS.keys() - {"sluice-console"}
    assert httpx.URL(variables["SLUICE_REGISTRY_URL"]).host in select("Service")


@pytest.mark.parametrize("deployment", DEPLOYMENTS.values(), ids=by_name)
def test_a_pod_has_no_rights_that_it_does_not_need(deployment: dict[str, Any]) -> None:
    pod, security = deployment["spec"]["template"]["spec"], container(deployment)["securityContext"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    assert security["readOnlyRootFilesystem"] is True
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}


@pytest.mark.parametrize("deployment", DEPLOYMENTS.values(), ids=by_name)
def test_kubernetes_own_variables_are_kept_from_the_settings(deployment: dict[str, Any]) -> None:
    """A Service called sluice-ingest makes SLUICE_INGEST_PORT=tcp://…, and that is no port number."""
    assert deployment["spec"]["template"]["spec"]["enableServiceLinks"] is False


@pytest.mark.parametrize("deployment", DEPLOYMENTS.values(), ids=by_name)
def test_probes_ask_what_a_role_answers_at_its_port(deployment: dict[str, Any]) -> None:
    role = container(deployment)
    paths = {route.path for route in create_health_routes(Health("role", list))}
    probes = {name: role[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert {probe["path"] for probe in probes.values()} <= paths
    assert probes["livenessProbe"]["path"] == "/healthz"
    assert probes["readinessProbe"]["path"] == "/readyz"
    [port] = role["ports"]
    assert {probe["port"] for probe in probes.values()} == {port["name"]}
    assert port["containerPort"] == Settings.model_fields[f"{role['args'][0]}_port"].default
    annotations = deployment["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(port["containerPort"])


def test_every_variable_is_a_setting_and_its_value_fits() -> None:
    settings = select("ConfigMap")["sluice"]["data"]
    secrets = {variable["name"] for deployment in DEPLOYMENTS.values() for variable in container(deployment)["env"]}
    fields = {name.removeprefix("SLUICE_").lower(): value for name, value in settings.items()}
    assert Settings.model_fields.keys() >= fields.keys() | {name.removeprefix("SLUICE_").lower() for name in secrets}
    Settings(**fields)


@pytest.mark.parametrize("deployment", DEPLOYMENTS.values(), ids=by_name)
def test_a_process_ends_by_itself_before_it_would_be_killed(deployment: dict[str, Any]) -> None:
    settings = select("ConfigMap")["sluice"]["data"]
    own = float(settings["SLUICE_DRAIN_DELAY"]) + float(settings["SLUICE_SHUTDOWN_TIMEOUT"])
    assert deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] >= own + SPARE_SECONDS


@pytest.mark.parametrize("deployment", DEPLOYMENTS.values(), ids=by_name)
def test_a_rolling_update_takes_nobody_away_before_another_is_ready(deployment: dict[str, Any]) -> None:
    assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def test_the_scaled_object_is_one_that_keda_takes() -> None:
    """No package has KEDA's schema: these are the fields of keda.sh/v1alpha1 that are used, by name and type."""
    [scaled] = select("ScaledObject").values()
    spec = scaled["spec"]
    assert scaled["apiVersion"] == "keda.sh/v1alpha1"
    assert spec.keys() <= {
        "scaleTargetRef",
        "minReplicaCount",
        "maxReplicaCount",
        "pollingInterval",
        "cooldownPeriod",
        "fallback",
        "advanced",
        "triggers",
    }
    assert spec["scaleTargetRef"]["name"] in DEPLOYMENTS
    assert "replicas" not in DEPLOYMENTS[spec["scaleTargetRef"]["name"]]["spec"], "an apply would undo the scaling"
    assert 1 <= spec["minReplicaCount"] <= spec["fallback"]["replicas"] <= spec["maxReplicaCount"]
    assert spec["fallback"].keys() == {"failureThreshold", "replicas"}
    [trigger] = spec["triggers"]
    assert trigger.keys() == {"type", "metricType", "metadata"}
    assert trigger["metricType"] == "AverageValue", "a fallback needs it"
    assert all(isinstance(value, str) for value in trigger["metadata"].values())
    assert {"serverAddress", "query", "threshold"} <= trigger["metadata"].keys()
    assert re.search(r"sluice_oldest_uplink_age_seconds", trigger["metadata"]["query"])
    # The behaviour is Kubernetes' own.
    autoscaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "made"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "sluice-worker"},
            "maxReplicas": spec["maxReplicaCount"],
            **spec["advanced"]["horizontalPodAutoscalerConfig"],
        },
    }
    kubernetes_validate.validate(autoscaler, VERSIONS[-1], strict=True)
