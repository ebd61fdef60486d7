"""The receiving side away, refusing, or full of a customer's mistakes: what is held back, and that nobody else is.

Imports nothing of Sluice.
"""

from typing import Any

import httpx

from tests.support.processes import Process
from tests.support.system import AUTHORIZATION, LORAWAN_AUTHORIZATION, NETWORK_TOKEN, System
from tests.support.waiting import eventually


def post(ingest: Process, count: int, *, serial: str = "S{n}") -> None:
    body = [{"serial": serial.format(n=n), "payload": f"{n:04x}"} for n in range(count)]
    _post(ingest, body, AUTHORIZATION)


def post_of_another_key(ingest: Process, count: int) -> None:
    _post(ingest, [{"deviceInfo": {"devEui": f"{n:016x}"}} for n in range(count)], LORAWAN_AUTHORIZATION)


def _post(ingest: Process, body: list[dict[str, Any]], authorization: str) -> None:
    response = httpx.post(f"{ingest.url}/uplink", json=body, headers={"Authorization": authorization})
    assert response.status_code == 202, response.text


def degraded(worker: Process) -> str:
    document: dict[str, Any] = httpx.get(f"{worker.url}/readyz").json()
    return "\n".join(document["degraded"])


async def test_an_outage_of_the_downstream_pauses_consuming_and_costs_no_attempts(system: System) -> None:
    ingest = system.start_ingest()
    worker = system.start_worker(SLUICE_RETRY_ATTEMPTS="2")
    system.control_stub(mode="away")
    post(ingest, 50)
    await eventually(lambda: "downstream: 503" in degraded(worker))
    assert "sluice_breaker_open 1.0" in httpx.get(f"{worker.url}/metrics").text
    for _ in range(5):
        post(ingest, 50)
    await eventually(lambda: probes(system) >= 4)
    system.control_stub(mode="good")
    await eventually(lambda: system.arrived()["distinct"] == 300, within=60)
    assert degraded(worker) == ""
    assert system.dead_letters() == []


def probes(system: System) -> int:
    """Say how often the stub was asked whether it is there."""
    count: int = httpx.get(f"{system.stub_url}/arrived").json()["probes"]
    return count


async def test_a_network_token_that_is_refused_holds_its_uplinks_back_until_the_directory_mends(system: System) -> None:
    good = system.directory.read_text()
    system.directory.write_text(good.replace('[networks.plain]\ntoken = "${NETWORK_TOKEN}"', BROKEN_NETWORK))
    ingest = system.start_ingest()
    worker = system.start_worker()
    post(ingest, 20)
    await eventually(lambda: "key factory: held back" in degraded(worker))
    post_of_another_key(ingest, 10)
    await eventually(lambda: system.arrived()["distinct"] == 10)
    system.directory.write_text(good)
    await eventually(lambda: system.arrived()["distinct"] == 30)
    assert degraded(worker) == ""


BROKEN_NETWORK = f'[networks.plain]\ntoken = "{NETWORK_TOKEN}-mistyped"'


async def test_a_key_whose_uplinks_mostly_die_is_held_back_alone(system: System) -> None:
    ingest = system.start_ingest()
    worker = system.start_worker()
    post(ingest, 200, serial="UNKNOWN{n}")
    await eventually(lambda: "key factory: held back, its uplinks mostly" in degraded(worker))
    post(ingest, 500, serial="UNKNOWN{n}")
    post_of_another_key(ingest, 10)
    await eventually(lambda: system.arrived()["distinct"] == 10)
    assert "key factory" in degraded(worker)
