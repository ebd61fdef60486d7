"""Dead letters as an operator deals with them, through real processes on both engines. Imports nothing of Sluice."""

import signal
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.support.processes import Process
from tests.support.system import AUTHORIZATION, LORAWAN_AUTHORIZATION, System
from tests.support.waiting import eventually


@pytest.fixture
def system(system: System) -> System:
    """A device that was created is found at once."""
    system.environment["SLUICE_RESOLVER_UNKNOWN_TTL"] = "0.01"
    return system


def post(ingest: Process, *serials: str) -> list[str]:
    """Send uplinks and give their ids."""
    body = [{"serial": serial, "payload": "0011aa"} for serial in serials]
    response = httpx.post(f"{ingest.url}/uplink", json=body, headers={"Authorization": AUTHORIZATION})
    assert response.status_code == 202, response.text
    return [f"{response.json()['group']}/{index}" for index in range(len(serials))]


def dead(system: System, *arguments: str, code: int = 0) -> str:
    """Run a command about dead letters and give what it wrote."""
    command = system.run("dead", *arguments)
    assert command.wait() == code, command.log
    command.close()  # what it wrote has all been read then
    return command.log


async def letters_of(system: System, count: int) -> list[str]:
    async def listed() -> list[str]:
        ids = [letter["uplink_id"] for letter in system.dead_letters()]
        return ids if len(ids) == count else []

    return await eventually(listed)


async def test_a_replayed_uplink_is_delivered_once_its_device_exists(system: System) -> None:
    ingest = system.start_ingest()
    system.start_worker()
    ids = post(ingest, "A", "UNKNOWN-1", "UNKNOWN-2")
    await letters_of(system, 2)
    assert "would be replayed" in dead(system, "replay", "--dry-run")
    assert set(system.arrived_ids()) == {ids[0]}
    system.control_stub(unknown=[])
    assert "2 of 2 were replayed" in dead(system, "replay", "--reason", "serial_unknown")
    await eventually(lambda: set(system.arrived_ids()) == set(ids))
    assert system.dead_letters() == []


async def test_an_uplink_that_fails_again_is_one_letter_with_its_history(system: System) -> None:
    ingest = system.start_ingest()
    system.start_worker()
    [uplink_id] = post(ingest, "UNKNOWN-1")
    await eventually(partial(_has_died, system, uplink_id, 1))
    dead(system, "replay", uplink_id)
    await eventually(partial(_has_died, system, uplink_id, 2))
    dead(system, "replay", uplink_id)
    await eventually(partial(_has_died, system, uplink_id, 3))
    [letter] = system.dead_letters()
    assert [death["disposition"] for death in letter["history"]] == ["replayed", "replayed"]
    story = dead(system, "show", uplink_id)
    assert "Create the device downstream" in story
    assert "what happened before" in story


def _has_died(system: System, uplink_id: str, times: int) -> bool:
    letters = system.dead_letters()
    assert len(letters) <= 1
    return [(letter["uplink_id"], len(letter["history"])) for letter in letters] == [(uplink_id, times - 1)]


async def test_a_replay_goes_through_the_map_and_the_network_as_they_are_today(system: System) -> None:
    ingest = system.start_ingest()
    worker = system.start_worker()
    response = httpx.post(
        f"{ingest.url}/uplink",
        json={"deviceInfo": {"devEui": "AA-BB"}, "meter": {"id": "0a-1b-2c-3d-4e-5f-60-71"}},
        headers={"Authorization": LORAWAN_AUTHORIZATION},
    )
    uplink_id = f"{response.json()['group']}/0"
    await letters_of(system, 1)
    assert uplink_id in dead(system, "list", "--network", "lorawan", "--serial", "AA-BB", "--json")
    assert uplink_id not in dead(system, "list", "--network", "plain", "--json")
    directory = system.directory.read_text()
    system.directory.write_text(directory.replace("serial=deviceInfo.devEui", "serial=meter.id"))
    worker.wait_for_line("directory.reloaded")
    assert uplink_id in dead(system, "list", "--serial", "0A1B2C3D4E5F6071", "--json")
    dead(system, "replay", uplink_id)
    await eventually(lambda: set(system.arrived_ids()) == {uplink_id})
    assert system.dead_letters() == []


async def test_a_replay_that_is_interrupted_leaves_every_uplink_on_the_list_or_in_the_queue(system: System) -> None:
    ingest = system.start_ingest()
    worker = system.start_worker()
    ids = set(post(ingest, *(f"UNKNOWN-{number}" for number in range(40))))
    await letters_of(system, 40)
    system.control_stub(unknown=[])
    replay = system.run("dead", "replay", "--rate", "2")
    await eventually(lambda: system.arrived()["distinct"] >= 3)
    replay.send_signal(signal.SIGINT)
    assert replay.wait() == 130, replay.log
    replay.close()
    assert "of 40 were replayed" in replay.log
    left = {letter["uplink_id"] for letter in system.dead_letters()}
    assert left
    await eventually(lambda: set(system.arrived_ids()) | left == ids)
    assert not set(system.arrived_ids()) & left  # at worst both, but not after Ctrl-C
    assert f"{40 - len(left)} of 40" in replay.log
    dead(system, "replay", "--rate", "1000")
    await eventually(lambda: set(system.arrived_ids()) == ids)
    assert worker.exit_code is None


async def test_a_purge_takes_only_what_it_was_told_and_not_without_being_sure(system: System) -> None:
    ingest = system.start_ingest()
    system.start_worker()
    ids = post(ingest, "UNKNOWN-1", "UNKNOWN-2")
    await letters_of(system, 2)
    assert "--yes" in dead(system, "purge", code=1)
    assert "1 were purged" in dead(system, "purge", ids[0], "--yes")
    assert [letter["uplink_id"] for letter in system.dead_letters()] == [ids[1]]
    assert f"not on the list: {ids[0]}" in dead(system, "replay", ids[0], code=1)


def test_a_mistyped_place_is_no_empty_list_and_nothing_is_made_there(system: System, tmp_path: Path) -> None:
    before = set(tmp_path.iterdir())
    for command in (["list"], ["show", "a/0"], ["replay"], ["purge", "--yes"]):
        assert "there is no queue" in dead(system, *command, code=1)
    assert set(tmp_path.iterdir()) == before
    assert "there is no queue" in dead(system, "list", code=1)  # on a broker the first would have made it
