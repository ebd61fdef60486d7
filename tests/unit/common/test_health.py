import httpx
import pytest
from starlette.applications import Starlette

from common import metrics
from common.health import Health, create_health_routes
from common.reason import Reason


async def get(health: Health, path: str) -> httpx.Response:
    app = Starlette(routes=create_health_routes(health))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://role") as client:
        return await client.get(path)


@pytest.mark.parametrize(
    ("started", "draining", "status"), [(False, False, 503), (True, False, 200), (True, True, 503)]
)
async def test_a_role_is_ready_from_its_start_until_it_drains(started: bool, draining: bool, status: int) -> None:
    response = await get(Health("worker", list, started=started, draining=draining), "/readyz")
    assert response.status_code == status


async def test_a_degraded_role_is_ready_and_says_what_is_away() -> None:
    response = await get(Health("worker", lambda: ["queue: away"], started=True), "/readyz")
    assert (response.status_code, response.json()["degraded"]) == (200, ["queue: away"])


async def test_a_process_that_answers_is_alive() -> None:
    response = await get(Health("worker", list), "/healthz")
    assert (response.status_code, response.json()["role"]) == (200, "worker")


async def test_metrics_are_sluices_own_and_start_at_zero_for_every_reason() -> None:
    text = (await get(Health("worker", list), "/metrics")).text
    names = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert names
    assert all(name.startswith("sluice_") for name in names)
    for reason in Reason:
        assert f'sluice_uplinks_dead_total{{reason="{reason}"}}' in text


def test_every_metric_has_a_help_text() -> None:
    assert all(metric.documentation.endswith(".") for metric in metrics.REGISTRY.collect())
