"""How long the oldest uplink waits, as Prometheus sees it, on both engines. Imports nothing of Sluice."""

import re

import httpx

from tests.support.processes import Process
from tests.support.system import AUTHORIZATION, System
from tests.support.waiting import eventually

WITHIN = 60.0


def post(ingest: Process) -> None:
    answer = httpx.post(f"{ingest.url}/uplink", json={"serial": "A"}, headers={"Authorization": AUTHORIZATION})
    assert answer.status_code == httpx.codes.ACCEPTED


def age(*processes: Process) -> float:
    """Give the greatest of all, as an alert asks for it."""
    texts = [httpx.get(f"{process.url}/metrics").text for process in processes]
    found = re.findall(r"^sluice_oldest_uplink_age_seconds\{.*\} (\S+)$", "\n".join(texts), re.MULTILINE)
    return max(map(float, found))


async def grows(*processes: Process) -> None:
    """Return when the age is more than 1 s, and more still a moment later."""
    seen = await eventually(lambda: (now := age(*processes)) > 1 and now, within=WITHIN)
    await eventually(lambda: age(*processes) > seen + 1, within=WITHIN)


async def test_with_no_worker_the_age_grows_and_with_one_it_ends(system: System) -> None:
    ingest = system.start_ingest()
    post(ingest)
    await grows(ingest)
    worker = system.start_worker()
    await eventually(lambda: system.arrived()["distinct"] == 1)
    await eventually(lambda: age(ingest, worker) == 0, within=WITHIN)


async def test_while_the_downstream_is_away_the_age_grows_also_when_the_worker_dies(system: System) -> None:
    ingest, worker = system.start_ingest(), system.start_worker()
    system.control_stub(mode="away")
    post(ingest)
    await eventually(lambda: "sluice_breaker_open 1.0" in httpx.get(f"{worker.url}/metrics").text, within=WITHIN)
    await grows(ingest, worker)
    worker.kill()
    await grows(ingest)
    system.control_stub(mode="good")
    worker = system.start_worker()
    await eventually(lambda: age(ingest, worker) == 0, within=WITHIN)
    assert system.arrived()["distinct"] == 1


async def test_what_a_worker_has_in_hand_is_as_old_as_its_arrival(system: System) -> None:
    ingest = system.start_ingest()
    post(ingest)
    await grows(ingest)
    system.control_stub(mode="hang")
    worker = system.start_worker(SLUICE_DOWNSTREAM_TIMEOUT="600")
    await eventually(lambda: "sluice_uplinks_in_hand 1.0" in httpx.get(f"{worker.url}/metrics").text, within=WITHIN)
    assert age(worker) > 1
    await grows(worker)
    system.control_stub(mode="good")
