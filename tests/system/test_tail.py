"""`sluice tail` beside real processes, on a real RabbitMQ and on SQLite. Imports nothing of Sluice."""

import base64
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.broker import BrokerContainer
from tests.support.leftovers import delete_queues
from tests.support.processes import SLUICE, Process
from tests.support.roles import PROFILE_TOKEN, Roles
from tests.support.system import AUTHORIZATION, LORAWAN_AUTHORIZATION, NETWORK_TOKEN, RETRY_STEPS, System
from tests.support.waiting import eventually

SECRETS = (AUTHORIZATION, LORAWAN_AUTHORIZATION, NETWORK_TOKEN)

LATE_SECONDS = 90.0
"""For what takes some ten seconds on a machine that has nothing else to do."""


@pytest.fixture
def system_on_own_broker(own_broker: BrokerContainer, tmp_path: Path) -> Iterator[System]:
    system = System(own_broker.url, tmp_path)
    yield system
    system.close()
    delete_queues(own_broker.url, system.prefix, RETRY_STEPS)


@pytest.fixture
def roles(queue: str, tmp_path: Path) -> Iterator[Roles]:
    roles = Roles(queue, tmp_path)
    yield roles
    roles.close()
    if queue.startswith("amqp"):
        delete_queues(queue, roles.prefix, RETRY_STEPS)


def post(ingest: Process, *items: dict[str, Any]) -> str:
    response = httpx.post(
        f"{ingest.url}/uplink", json=list(items), headers={"Authorization": AUTHORIZATION}, timeout=LATE_SECONDS
    )
    assert response.status_code == 202, response.text
    return str(response.json()["group"])


def count(process: Process, metric: str) -> float:
    """Read one metric of a process."""
    lines = httpx.get(f"{process.url}/metrics", timeout=30).text.splitlines()
    return float(next(line.split()[-1] for line in lines if line.startswith(f"{metric} ")))


async def start_tail(system: System | Roles, processes: Sequence[Process], *flags: str, viewers: int = 1) -> Process:
    """Start a viewer, and wait until every process knows of so many."""
    is_file = system.environment["SLUICE_QUEUE"].startswith("sqlite:")
    urls = [flag for process in processes for flag in ("--url", process.url)] if is_file else []
    tail = system.run("tail", *flags, *urls)
    await eventually(
        lambda: all(count(process, "sluice_event_viewers") == viewers for process in processes), within=LATE_SECONDS
    )
    return tail


def events_of(tail: Process, uplink_id: str) -> list[dict[str, Any]]:
    """Give the events of an uplink, by their time: those of several processes come in no particular order."""
    events = [line for line in list(tail.lines) if line.get("uplink_id") == uplink_id]
    return sorted(events, key=lambda event: str(event["time"]))


def stages_of(tail: Process, uplink_id: str) -> list[str]:
    return [event["stage"] for event in events_of(tail, uplink_id)]


async def test_tail_shows_the_whole_story_of_what_is_delivered_retried_and_dead(system: System) -> None:
    ingest, worker = system.start_ingest(), system.start_worker()
    tail = await start_tail(system, [ingest, worker], "--json", "--details")
    delivered = post(ingest, {"serial": "A", "temperature": 21.5})
    await eventually(lambda: "posted" in stages_of(tail, f"{delivered}/0"))

    system.control_stub(mode="error", failing=["data"])
    both = post(ingest, {"serial": "B", "temperature": 21.5}, {"serial": "UNKNOWN-7"})
    retried, dead = f"{both}/0", f"{both}/1"
    await eventually(lambda: "retried" in stages_of(tail, retried))
    system.control_stub(mode="good")
    await eventually(lambda: "posted" in stages_of(tail, retried))
    await eventually(lambda: "dead" in stages_of(tail, dead))

    once = Counter(accepted=1, mapped=1, resolved=1, posted=1)
    await eventually(lambda: Counter(stages_of(tail, f"{delivered}/0")) == once)
    await eventually(lambda: Counter(stages_of(tail, dead)) == Counter(accepted=1, mapped=1, dead=1))
    await eventually(lambda: "accepted" in stages_of(tail, retried))
    again = Counter(stages_of(tail, retried))
    assert again["mapped"] == again["resolved"] == again["retried"] + 1 == again["posted"] + again["retried"]

    story = {event["stage"]: event for event in events_of(tail, retried)}
    assert {(event["key"], event["network"], event["serial"]) for event in story.values()} == {
        ("factory", "plain", "B")
    }
    assert story["accepted"]["details"]["item"] == {"serial": "B", "temperature": 21.5}
    assert [record["variable"] for record in story["mapped"]["details"]["records"]] == ["serial", "temperature"]
    assert story["retried"]["reason"] == "downstream_unavailable"
    assert story["retried"]["facts"]["wait_seconds"] in {0.2, 0.5}
    assert again["post_failed"] >= again["retried"]
    assert story["post_failed"]["facts"]["answer"].startswith("500")
    assert story["posted"]["facts"]["answer"] == "2 Data Added"
    assert story["posted"]["facts"]["attempt"] > 1
    assert events_of(tail, dead)[-1]["reason"] == "serial_unknown"

    tail.send_signal(signal.SIGINT)
    assert tail.wait() == 0
    tail.close()
    assert not [secret for secret in SECRETS if secret in tail.log]


@pytest.mark.parametrize("flags", ["", "--json"])
async def test_tail_ends_without_a_word_when_nobody_reads_on(system_on_sqlite: System, flags: str) -> None:
    system = system_on_sqlite
    ingest = system.start_ingest()
    pipe = f"{SLUICE} tail {flags} --url {ingest.url} | head -1"
    shown = system._start("sh", "-c", pipe, environment=system.environment)
    await eventually(lambda: count(ingest, "sluice_event_viewers") == 1, within=LATE_SECONDS)

    def has_ended_after_more() -> bool:
        post(ingest, {"serial": "A"})
        return shown.exit_code is not None

    await eventually(has_ended_after_more, within=LATE_SECONDS)
    shown.close()
    assert [line.partition("accepted")[1] for line in shown.raw] == ["accepted"]


async def test_tail_shows_what_was_asked_for_a_line_each(system: System) -> None:
    ingest, worker = system.start_ingest(), system.start_worker()
    by_serial = await start_tail(system, [ingest, worker], "--serial", "a:1", "--key", "factory")
    by_reason = await start_tail(system, [ingest, worker], "--reason", "serial_unknown", viewers=2)
    group = post(ingest, {"serial": "A-1"}, {"serial": "A-2"}, {"serial": "UNKNOWN-7"})
    await eventually(lambda: "posted" in by_serial.log)
    await eventually(lambda: "dead" in by_reason.log)
    for tail in (by_serial, by_reason):
        assert tail.terminate() == 0
        tail.close()
    assert {line.split()[1] for line in by_serial.raw} == {"accepted", "mapped", "resolved", "posted"}
    assert {tuple(line.split()[2:4]) for line in by_serial.raw} == {(f"{group}/0", "A-1")}
    (line,) = by_reason.raw
    assert line.split()[1:5] == ["dead", f"{group}/2", "UNKNOWN-7", "serial_unknown:"]


async def test_a_viewer_that_is_stopped_holds_up_nothing_and_is_told_what_it_missed(system: System) -> None:
    ingest, worker = system.start_ingest(), system.start_worker()
    tail = await start_tail(system, [ingest, worker], "--json", "--details")
    tail.send_signal(signal.SIGSTOP)
    for number in range(100):
        post(ingest, *({"serial": f"S{index}", "number": number, "note": "x" * 2_000} for index in range(30)))
    await eventually(lambda: system.arrived()["distinct"] == 3_000, within=LATE_SECONDS)
    assert system.arrived()["uplinks"] == 3_000
    assert count(ingest, "sluice_uplinks_accepted_total") == 3_000
    assert system.dead_letters() == []
    await eventually(
        lambda: all(count(process, "sluice_event_viewers") == 0 for process in (ingest, worker)), within=LATE_SECONDS
    )

    tail.send_signal(signal.SIGCONT)
    await eventually(lambda: "some events may not be shown" in tail.log, within=LATE_SECONDS)
    seen = await see_another(system, ingest, worker, tail)
    assert "accepted" in stages_of(tail, seen)


async def see_another(system: System, ingest: Process, worker: Process, tail: Process) -> str:
    """Post until the viewer sees one: it may be on its way back."""
    groups: list[str] = []

    def post_one() -> str | None:
        groups.append(f"{post(ingest, {'serial': 'A'})}/0")
        return next((uplink_id for uplink_id in groups if "accepted" in stages_of(tail, uplink_id)), None)

    found = await eventually(post_one, within=LATE_SECONDS, poll=0.5)
    assert found is not None
    assert (system.processes.count(worker), worker.exit_code) == (1, None)
    return found


async def test_a_process_that_stops_does_not_wait_for_its_viewers(system: System) -> None:
    ingest, worker = system.start_ingest(), system.start_worker()
    tail = await start_tail(system, [ingest, worker])
    tail.send_signal(signal.SIGSTOP)
    assert [process.terminate() for process in (ingest, worker)] == [0, 0]


@pytest.mark.rabbitmq
@pytest.mark.docker
async def test_tail_survives_a_restart_of_the_broker(system_on_own_broker: System, own_broker: BrokerContainer) -> None:
    system = system_on_own_broker
    ingest, worker = system.start_ingest(), system.start_worker()
    tail = await start_tail(system, [ingest, worker], "--json")
    own_broker.restart()

    def takes() -> bool:
        headers = {"Authorization": AUTHORIZATION}
        return httpx.post(f"{ingest.url}/uplink", json={"serial": "A"}, headers=headers, timeout=30).is_success

    await eventually(takes, within=LATE_SECONDS, poll=0.5)
    await see_another(system, ingest, worker, tail)
    assert "some events may not be shown" in tail.log
    assert tail.terminate() == 0


async def test_what_a_payload_parser_says_is_a_part_of_its_uplinks_story(roles: Roles) -> None:
    registry, ingest, worker = (roles.start(role) for role in ("registry", "ingest", "worker"))
    device = roles.command("device", "create", "A", "--key", "demo")
    parser = base64.b64encode(b"console.log('port', payload.length);").decode()
    response = httpx.put(
        f"{roles.registry_url}/device/{device['device_id']}",
        json={"payload_decoder": parser},
        headers={"Authorization": PROFILE_TOKEN},
    )
    assert response.status_code == 200, response.text
    tail = await start_tail(roles, [registry, ingest, worker], "--json")

    def send() -> httpx.Response:
        body = {"serial": device["serie_number"], "payload": "0011aa"}
        return httpx.post(f"{ingest.url}/uplink", json=body, headers={"Authorization": device["key"]["token"]})

    await eventually(lambda: send().status_code == 202)
    await eventually(lambda: any(line.get("stage") == "said" for line in list(tail.lines)), within=LATE_SECONDS)
    said = next(line for line in list(tail.lines) if line.get("stage") == "said")
    assert (said["serial"], said["facts"]["parser"], said["facts"]["level"]) == ("A", "device", "log")
    assert said["facts"]["text"].startswith("port ")
    await eventually(
        lambda: {"accepted", "mapped", "resolved", "posted", "said"} <= set(stages_of(tail, said["uplink_id"]))
    )
