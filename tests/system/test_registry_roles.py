"""The registry as a process of its own, and the others that go by it over HTTP. Imports nothing of Sluice."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.processes import Process
from tests.support.roles import DIRECTORY_TOKEN, PROFILE_TOKEN, Roles
from tests.support.waiting import eventually

IN_FORCE_SECONDS = 5.0
"""Within this time every process knows what was changed in the registry."""


def ready(process: Process) -> tuple[int, list[str]]:
    response = httpx.get(f"{process.url}/readyz")
    return response.status_code, response.json()["degraded"]


def count_keys(process: Process) -> int:
    """Say how many keys a process knows, by its log."""
    known = [line["authorizations"] for line in process.lines if line.get("event") == "directory.reloaded"]
    return int(known[-1])


def send(ingest: Process, device: dict[str, Any], mark: int) -> int:
    body = {"serial": device["serie_number"], "payload": f"{mark:04x}", "mark": mark}
    return httpx.post(f"{ingest.url}/uplink", json=body, headers={"Authorization": device["key"]["token"]}).status_code


def read_marks(roles: Roles, device: dict[str, Any]) -> list[int]:
    response = httpx.get(
        f"{roles.registry_url}/data",
        params={"variables": "mark", "qty": 1_000},
        headers={"Device-Token": device["token"]},
    )
    return sorted(record["value"] for record in response.raise_for_status().json()["result"])


async def test_what_is_created_in_the_registry_may_send_within_five_seconds_and_is_delivered(roles: Roles) -> None:
    roles.start("registry")
    ingest, worker = roles.start("ingest"), roles.start("worker")
    await eventually(lambda: [ready(process) for process in (ingest, worker)] == [(200, []), (200, [])])
    device = roles.command("device", "create", "A", "--key", "demo")
    assert send(ingest, device, 1) in {202, 403}
    await eventually(lambda: send(ingest, device, 2) == 202, within=IN_FORCE_SECONDS)
    await eventually(lambda: 2 in read_marks(roles, device), within=IN_FORCE_SECONDS)

    assert roles.run("key", "remove", "demo", "--yes").wait() == 0
    await eventually(
        lambda: (send(ingest, device, 3), count_keys(ingest), count_keys(worker)) == (403, 0, 0),
        within=IN_FORCE_SECONDS,
    )


async def test_while_the_registry_is_away_known_keys_go_on_and_the_queue_keeps_their_uplinks(roles: Roles) -> None:
    registry = roles.start("registry")
    ingest, worker = roles.start("ingest"), roles.start("worker")
    device = roles.command("device", "create", "A", "--key", "demo")
    await eventually(lambda: send(ingest, device, 0) == 202, within=IN_FORCE_SECONDS)
    await eventually(lambda: read_marks(roles, device) == [0])
    registry.kill()
    assert [send(ingest, device, mark) for mark in range(1, 20)] == [202] * 19
    await eventually(lambda: all("directory: " in " ".join(ready(process)[1]) for process in (ingest, worker)))
    assert [ready(process)[0] for process in (ingest, worker)] == [200, 200]
    roles.start("registry")
    await eventually(lambda: read_marks(roles, device) == list(range(20)), within=60)
    await eventually(lambda: [ready(process) for process in (ingest, worker)] == [(200, []), (200, [])])


async def test_who_starts_before_the_registry_is_not_ready_and_recovers_by_itself(roles: Roles) -> None:
    ingest, worker = roles.start("ingest"), roles.start("worker")
    problem = f"{roles.registry_url} does not answer"
    await eventually(lambda: all(problem in " ".join(ready(process)[1]) for process in (ingest, worker)))
    assert [ready(process)[0] for process in (ingest, worker)] == [503, 503]
    answer = httpx.post(f"{ingest.url}/uplink", json={"serial": "A"}, headers={"Authorization": "at-nobody-knows"})
    assert (answer.status_code, answer.json()["reason"]) == (503, "directory_unavailable")
    assert answer.headers["Retry-After"] == "1"
    roles.start("registry")
    await eventually(lambda: [ready(process)[0] for process in (ingest, worker)] == [200, 200])
    assert ingest.terminate() == 0


async def test_a_wrong_token_says_what_to_set_and_is_in_no_log(roles: Roles) -> None:
    roles.start("registry")
    ingest = roles.start("ingest", SLUICE_DIRECTORY_TOKEN="another-directory-token")
    await eventually(lambda: "refuses SLUICE_DIRECTORY_TOKEN" in " ".join(ready(ingest)[1]))
    assert ready(ingest)[0] == 503
    assert ingest.terminate() == 0
    assert ingest.log.count("directory.refused") == 1
    for process in roles.processes:
        assert all(token not in process.log for token in (DIRECTORY_TOKEN, PROFILE_TOKEN, "another-directory-token"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"SLUICE_DIRECTORY_TOKEN": "short"}, "SLUICE_DIRECTORY_TOKEN: needs at least 16 characters"),
        ({"SLUICE_DIRECTORY": "http://"}, "SLUICE_DIRECTORY: is no URL"),
        ({"SLUICE_DIRECTORY": "ftp://registry"}, "must begin with http:// or https://"),
    ],
)
def test_what_cannot_start_says_why(tmp_path: Path, settings: dict[str, str], message: str) -> None:
    roles = Roles(f"sqlite:{tmp_path / 'queue.db'}", tmp_path)
    try:
        ingest = roles.run("ingest", **settings)
        assert ingest.wait() == 2
        assert message in ingest.log
        assert "Traceback" not in ingest.log
    finally:
        roles.close()
