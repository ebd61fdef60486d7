"""The main job through real processes, on a real RabbitMQ and on SQLite. Imports nothing of Sluice."""

import asyncio
import base64
import json
import signal
from typing import Any

import httpx
import pytest

from tests.support.processes import Process
from tests.support.system import AUTHORIZATION, LORAWAN_AUTHORIZATION, NETWORK_TOKEN, System
from tests.support.waiting import eventually

SECRETS = (AUTHORIZATION, LORAWAN_AUTHORIZATION, NETWORK_TOKEN)


@pytest.fixture(params=["good", "flaky"])
def stub_mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def post(ingest: Process, body: Any, *, authorization: str = AUTHORIZATION, path: str = "/uplink") -> httpx.Response:
    return httpx.post(f"{ingest.url}{path}", json=body, headers={"Authorization": authorization})


async def send_batches(url: str, batches: int, *, size: int = 10, senders: int = 16) -> set[str]:
    """Send batches, each again until it is answered 202; give the ids of the uplinks that were accepted."""
    numbers = iter(range(batches))
    accepted: set[str] = set()

    async def send(client: httpx.AsyncClient) -> None:
        for number in numbers:
            body = [{"serial": f"S{number % 50}", "payload": f"{number:06x}", "n": index} for index in range(size)]
            response = await client.post(f"{url}/uplink", json=body, headers={"Authorization": AUTHORIZATION})
            assert response.status_code == 202, response.text
            accepted.update(f"{response.json()['group']}/{index}" for index in range(size))

    async with httpx.AsyncClient(timeout=30) as client:
        await asyncio.gather(*(send(client) for _ in range(senders)))
    return accepted


async def test_a_gateways_burst_arrives_as_tagoio_variables(system: System, stub_mode: str) -> None:
    system.control_stub(mode=stub_mode)
    ingest = system.start_ingest()
    system.start_worker()
    item = {
        "deviceInfo": {"devEui": "0a-1b-2c-3d-4e-5f-60-71"},
        "data": base64.b64encode(bytes.fromhex("0011aa")).decode(),
        "fPort": "10",
        "object": {"temperature": 21.5, "position": {"latitude": 35.77, "longitude": 0}},
    }
    response = post(ingest, [item, item], authorization=LORAWAN_AUTHORIZATION)
    assert (response.status_code, response.json()["result"]) == (202, "2 uplinks accepted")
    await eventually(lambda: system.arrived()["distinct"] == 2)
    assert system.arrived()["boundary_violations"] == 0
    for arrived in system.posts():
        records = {record["variable"]: record for record in arrived["records"]}
        assert {name: record["value"] for name, record in records.items()} == {
            "serial": "0a-1b-2c-3d-4e-5f-60-71",
            "payload": "0011aa",
            "port": 10,
            "object_temperature": 21.5,
            "object_position_location": "35.77, 0",
        }
        assert records["object_position_location"]["location"] == {"lat": 35.77, "lng": 0}
        assert {record["group"] for record in records.values()} == {response.json()["group"]}


async def test_a_request_splits_and_its_bad_uplinks_become_dead_letters(system: System, stub_mode: str) -> None:
    system.control_stub(mode=stub_mode)
    ingest = system.start_ingest()
    system.start_worker()
    response = post(
        ingest, [{"serial": "A"}, {"serial": "UNKNOWN-7"}, {"serial": "B", "note": "x" * 7_000}, {"serial": "C"}]
    )
    group = response.json()["group"]
    await eventually(lambda: len(system.dead_letters()) == 2)
    letters = {letter["uplink_id"]: letter for letter in system.dead_letters()}
    assert {uplink_id: letter["reason"] for uplink_id, letter in letters.items()} == {
        f"{group}/1": "serial_unknown",
        f"{group}/2": "value_refused",
    }
    assert letters[f"{group}/1"]["envelope"]["items"] == [[1, {"serial": "UNKNOWN-7"}]]
    await eventually(lambda: set(system.arrived_ids()) == {f"{group}/0", f"{group}/3"})


async def test_a_refused_request_leaves_nothing_behind(system: System) -> None:
    ingest = system.start_ingest()
    system.start_worker()
    response = post(ingest, [{"serial": "A"}, {"devadr": "B"}])
    assert (response.status_code, response.json()["items"]) == (400, [1])
    assert post(ingest, {"serial": "C"}).status_code == 202
    await eventually(lambda: system.arrived()["distinct"] == 1)
    assert system.arrived()["records"] == 1


async def test_workers_that_are_killed_lose_nothing(system: System) -> None:
    ingest = system.start_ingest()
    system.control_stub(latency_ms=5)
    workers = [system.start_worker() for _ in range(system.workers_at_once)]
    sending = asyncio.create_task(send_batches(ingest.url, 300))
    await eventually(lambda: system.arrived()["distinct"] > 200)
    workers.pop(0).kill()
    workers.append(system.start_worker())
    await eventually(lambda: system.arrived()["distinct"] > 1_000, within=60)
    workers.pop(0).kill()
    workers.append(system.start_worker())
    accepted = await sending
    await eventually(lambda: system.arrived()["distinct"] >= 3_000, within=60)
    assert set(system.arrived_ids()) == accepted
    assert system.dead_letters() == []


async def test_an_ingest_that_is_killed_keeps_every_promise_it_made(system: System) -> None:
    ingest = system.start_ingest()
    promised: set[str] = set()

    async def send() -> None:
        async with httpx.AsyncClient() as client:
            while True:
                response = await client.post(
                    f"{ingest.url}/uplink", json={"serial": "A"}, headers={"Authorization": AUTHORIZATION}
                )
                promised.add(f"{response.json()['group']}/0")

    senders = [asyncio.create_task(send()) for _ in range(16)]
    await eventually(lambda: len(promised) > 500)
    ingest.kill()
    await asyncio.wait(senders)
    assert all(isinstance(sender.exception(), httpx.TransportError) for sender in senders)
    system.start_worker()
    await eventually(lambda: promised <= set(system.arrived_ids()), within=30)


async def test_a_worker_that_is_asked_to_stop_delivers_what_it_holds_and_nothing_twice(system: System) -> None:
    ingest = system.start_ingest()
    system.control_stub(latency_ms=20)
    worker = system.start_worker()
    accepted = await send_batches(ingest.url, 50)
    await eventually(lambda: system.arrived()["distinct"] > 20)
    assert worker.terminate() == 0
    assert "process.stopped" in worker.log
    system.start_worker()
    await eventually(lambda: set(system.arrived_ids()) == accepted, within=30)
    assert system.arrived()["duplicates"] == 0


async def test_an_ingest_that_is_asked_to_stop_answers_what_it_has_begun_to_read_and_keeps_it(system: System) -> None:
    ingest = system.start_ingest()
    reader, writer = await asyncio.open_connection("127.0.0.1", int(ingest.url.rpartition(":")[2]))
    body = b'{"serial": "A"}'
    head = f"POST /uplink HTTP/1.1\r\nHost: ingest\r\nAuthorization: {AUTHORIZATION}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body[:5])
    await writer.drain()
    await eventually(lambda: httpx.get(f"{ingest.url}/healthz").status_code == 200)
    ingest.send_signal(signal.SIGTERM)
    await eventually(lambda: refuses_connections(ingest))
    writer.write(body[5:])
    answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 202"), answer
    assert ingest.wait() == 0
    system.start_worker()
    group = json.loads(answer.partition(b"\r\n\r\n")[2])["group"]
    await eventually(lambda: set(system.arrived_ids()) == {f"{group}/0"})


def refuses_connections(process: Process) -> bool:
    try:
        httpx.get(f"{process.url}/healthz")
    except httpx.ConnectError:
        return True
    except httpx.TransportError:  # it came in just before the door was closed
        return False
    return False


async def test_a_downstream_that_is_away_is_waited_for(system: System) -> None:
    ingest = system.start_ingest()
    worker = system.start_worker()
    system.control_stub(mode="away")
    accepted = await send_batches(ingest.url, 5)
    await eventually(lambda: "downstream: " in str(httpx.get(f"{worker.url}/readyz").json()["degraded"]))
    await eventually(lambda: httpx.get(f"{worker.url}/readyz").status_code == 200)
    system.control_stub(mode="good")
    await eventually(lambda: set(system.arrived_ids()) == accepted, within=30)
    assert system.arrived()["duplicates"] == 0


async def test_uplinks_of_one_device_arrive_in_the_order_of_their_request(system: System) -> None:
    ingest = system.start_ingest()
    system.start_worker()
    post(ingest, [{"serial": "A", "payload": f"{n:02x}"} for n in range(50)])
    await eventually(lambda: system.arrived()["distinct"] == 50)
    payloads = [r["value"] for p in system.posts() for r in p["records"] if r["variable"] == "payload"]
    assert payloads == [f"{n:02x}" for n in range(50)]


async def test_the_directory_is_read_again_and_a_broken_edit_keeps_the_last_good_one(system: System) -> None:
    ingest = system.start_ingest()
    good = system.directory.read_text()
    key = '[authorizations.new]\ntoken = "at-new"\nnetwork = "plain"\n'
    assert post(ingest, {"serial": "A"}, authorization="at-new").status_code == 403
    system.directory.write_text(good + key)
    ingest.send_signal(signal.SIGHUP)
    await eventually(lambda: post(ingest, {"serial": "A"}, authorization="at-new").status_code == 202)
    system.directory.write_text(good + "[authorizations.new\n")
    await eventually(lambda: httpx.get(f"{ingest.url}/readyz").json()["degraded"])
    assert "directory" in httpx.get(f"{ingest.url}/readyz").json()["degraded"][0]
    assert post(ingest, {"serial": "A"}, authorization="at-new").status_code == 202
    system.directory.write_text(good)
    await eventually(lambda: not httpx.get(f"{ingest.url}/readyz").json()["degraded"])
    assert post(ingest, {"serial": "A"}, authorization="at-new").status_code == 403


async def test_no_secret_is_in_a_log_a_metric_an_answer_or_a_letter(system: System) -> None:
    ingest = system.start_ingest(SLUICE_LOG_LEVEL="DEBUG")
    worker = system.start_worker(SLUICE_LOG_LEVEL="DEBUG")
    answers = [
        post(ingest, [{"serial": "A"}, {"serial": "UNKNOWN"}]),
        post(ingest, {"serial": "A"}, path=f"/uplink?authorization={AUTHORIZATION}"),
        post(ingest, {"no": "serial"}),
        httpx.get(f"{ingest.url}/metrics"),
        httpx.get(f"{worker.url}/metrics"),
    ]
    await eventually(system.dead_letters)
    system.stub.kill()
    post(ingest, {"serial": "B"})
    await eventually(lambda: "downstream" in str(httpx.get(f"{worker.url}/readyz").json()["degraded"]))
    answers.append(httpx.get(f"{worker.url}/readyz"))
    written = [ingest.log, worker.log, json.dumps(system.dead_letters()), *(answer.text for answer in answers)]
    assert all("at-system" not in text and NETWORK_TOKEN not in text for text in written)
    assert all(secret not in text for text in written for secret in SECRETS)


@pytest.mark.parametrize(
    ("settings", "message", "code"),
    [
        ({"SLUICE_DIRECTORY": "/nowhere/sluice.toml"}, "/nowhere/sluice.toml", 1),
        ({"FACTORY_AUTHORIZATION": ""}, "factory", 1),
        ({"SLUICE_QUEUE": "redis://localhost"}, "amqp://", 1),
        ({"SLUICE_WORKER_PORT": "abc"}, "SLUICE_WORKER_PORT", 2),
        ({"SLUICE_RETRY_STEPS": "30,5"}, "ascending", 2),
        ({"SLUICE_LOG_LEVEL": "loud"}, "SLUICE_LOG_LEVEL", 2),
    ],
)
def test_what_cannot_start_says_why_and_leaves(
    system_on_sqlite: System, settings: dict[str, str], message: str, code: int
) -> None:
    worker = system_on_sqlite.run("worker", **settings)
    assert worker.wait() == code
    assert message in worker.log
    assert "Traceback" not in worker.log


def test_a_port_in_use_is_one_clear_line(system_on_sqlite: System) -> None:
    ingest = system_on_sqlite.start_ingest()
    second = system_on_sqlite.run("ingest", SLUICE_INGEST_PORT=ingest.url.rpartition(":")[2])
    assert second.wait() == 1
    assert "cannot listen on 127.0.0.1" in second.log
    assert "Traceback" not in second.log


def test_send_posts_generated_uplinks_and_says_how_they_were_answered(system_on_sqlite: System) -> None:
    ingest = system_on_sqlite.start_ingest()
    arguments = ("send", "--generate", "500", "--batch", "10", "--url", f"{ingest.url}/uplink", "--json")
    sending = system_on_sqlite.run(*arguments, SLUICE_AUTHORIZATION=AUTHORIZATION)
    assert sending.wait(within=60) == 0, sending.log
    assert AUTHORIZATION not in sending.log
    [summary] = [line for line in sending.lines if "answers" in line]
    assert [(count["status"], count["requests"]) for count in summary["answers"]] == [(202, 50)]
    assert summary["uplinks_accepted"] == 500
    assert "sluice_uplinks_accepted_total 500.0" in httpx.get(f"{ingest.url}/metrics").text
