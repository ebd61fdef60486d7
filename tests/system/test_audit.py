"""``sluice audit`` beside real processes: it tells what is lost, what is doubled, and when it cannot tell."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import aio_pika
import httpx
import pytest

from tests.support.processes import Process
from tests.support.system import AUTHORIZATION, System
from tests.support.waiting import eventually

BALANCED, OUT_OF_BALANCE, CANNOT_TELL = 0, 1, 2


def audit(system: System, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Give the exit code and the finding of one audit."""
    command = system.run("audit", "--json", *arguments)
    code = command.wait()
    command.close()  # what it wrote has all been read then
    return code, next((line for line in command.lines if "verdict" in line), {})


async def send(ingest: Process, requests: int) -> int:
    """Send requests of ten uplinks; give how many uplinks were accepted."""
    accepted = 0
    async with httpx.AsyncClient(timeout=30) as client:
        for number in range(requests):
            body = [{"serial": f"S{number}", "payload": f"{index:02x}"} for index in range(10)]
            response = await client.post(f"{ingest.url}/uplink", json=body, headers={"Authorization": AUTHORIZATION})
            accepted += 10 if response.status_code == httpx.codes.ACCEPTED else 0
    return accepted


async def send_until_arrived(system: System, ingest: Process, requests: int) -> int:
    """Send, and wait until the downstream has everything."""
    before = system.arrived()["distinct"]
    accepted = await send(ingest, requests)
    await eventually(lambda: system.arrived()["distinct"] == before + accepted)
    return accepted


async def test_the_books_of_a_queue_in_a_file_balance_whoever_was_killed(system_on_sqlite: System) -> None:
    system = system_on_sqlite
    accepted = 0
    for _ in range(2):
        ingest, worker = system.start_ingest(), system.start_worker()
        before = system.arrived()["distinct"]
        accepted += await send(ingest, 20)
        await eventually(partial(has_more_arrived, system, before))
        code, finding = audit(system)  # in the middle of it
        assert (code, finding["verdict"]) == (BALANCED, "balanced"), finding
        worker.kill()
        ingest.kill()
        code, finding = audit(system)
        assert code == BALANCED, finding
        assert finding["account"]["accepted"] == accepted
    assert finding["account"]["delivered"] > 0


@pytest.mark.rabbitmq
async def test_on_rabbitmq_the_processes_are_compared_with_the_queue(
    system_on_rabbitmq: System, amqp_url: str, tmp_path: Path
) -> None:
    system = system_on_rabbitmq
    ingest, workers = system.start_ingest(), [system.start_worker(), system.start_worker()]
    await send_until_arrived(system, ingest, 5)
    metrics = [part for process in (ingest, *workers) for part in ("--metrics", f"{process.url}/metrics")]
    books = str(tmp_path / "books.json")
    assert audit(system, *metrics)[0] == BALANCED
    assert audit(system, *metrics, "--save", books)[0] == 0
    accepted = await send_until_arrived(system, ingest, 20)
    code, finding = audit(system, *metrics, "--since", books)
    assert (code, finding["account"]["accepted"]) == (BALANCED, accepted), finding

    before = system.arrived()["distinct"]
    await publish_by_hand(amqp_url, system, uplinks=3)
    await eventually(lambda: system.arrived()["distinct"] == before + 3)
    code, finding = audit(system, *metrics, "--since", books)
    assert (code, finding["why"][:24]) == (OUT_OF_BALANCE, "3 uplinks are too many: "), finding

    workers[0].kill()
    assert audit(system, *metrics, "--since", books)[0] == CANNOT_TELL
    replaced = system.start_worker()
    metrics[3] = f"{replaced.url}/metrics"
    code, finding = audit(system, *metrics, "--since", books)
    assert (code, "restarted" in finding["why"]) == (CANNOT_TELL, True)


def has_more_arrived(system: System, before: int) -> bool:
    return system.arrived()["distinct"] > before


async def publish_by_hand(amqp_url: str, system: System, *, uplinks: int) -> None:
    """Put uplinks into the queue that no ingest has accepted."""
    envelope: dict[str, Any] = {
        "group": "6a1f0c52d3b19e4477aa01c9",
        "key": "factory",
        "arrived_at": "2026-11-21T01:23:45.678901Z",
        "trace": None,
        "query": {},
        "items": [[index, {"serial": "S1", "n": index}] for index in range(uplinks)],
        "attempt": 1,
        "first_seen": None,
    }
    message = aio_pika.Message(
        json.dumps({"version": 1, "envelopes": [envelope]}).encode(), headers={"uplinks": uplinks}
    )
    async with await aio_pika.connect(amqp_url) as connection, connection.channel() as channel:
        await channel.default_exchange.publish(message, f"{system.prefix}.uplinks")
