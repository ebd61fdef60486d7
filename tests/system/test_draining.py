"""A stop in two steps: first load balancers are told, then nothing more is taken. Imports nothing of Sluice."""

import signal
import time

import httpx
import pytest

from tests.support.processes import Process
from tests.support.system import AUTHORIZATION, System
from tests.support.waiting import eventually


@pytest.fixture
def system(system_on_sqlite: System) -> System:
    """What is tested here is the same on every queue."""
    return system_on_sqlite


def post(client: httpx.Client, ingest: Process) -> httpx.Response:
    return client.post(f"{ingest.url}/uplink", json={"serial": "A"}, headers={"Authorization": AUTHORIZATION})


async def test_a_draining_ingest_says_so_and_goes_on_accepting_until_it_is_told_again(system: System) -> None:
    ingest = system.start_ingest(SLUICE_DRAIN_DELAY="60")
    with httpx.Client() as client:
        assert "connection" not in post(client, ingest).headers
        ingest.send_signal(signal.SIGTERM)
        await eventually(lambda: httpx.get(f"{ingest.url}/readyz").status_code == 503)
        assert httpx.get(f"{ingest.url}/readyz").json()["draining"] is True
        accepted = post(client, ingest)
        assert (accepted.status_code, accepted.headers["connection"]) == (202, "close")
    assert ingest.terminate(within=10) == 0
    system.start_worker()
    await eventually(lambda: system.arrived()["distinct"] == 2)


def test_a_process_ends_by_itself_after_the_delay(system: System) -> None:
    worker = system.start_worker(SLUICE_DRAIN_DELAY="0.5")
    began = time.monotonic()
    assert worker.terminate(within=10) == 0
    assert time.monotonic() - began >= 0.5
    events = [line["event"] for line in worker.lines]
    assert events.index("process.draining") < events.index("process.stopped")
