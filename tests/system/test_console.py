"""The console before real processes, without a browser. Imports nothing of Sluice."""

import json
import re
import threading
from pathlib import Path

import httpx

from tests.support.console import Running, Visitor
from tests.support.processes import Process
from tests.support.roles import DIRECTORY_TOKEN, PROFILE_TOKEN, Roles
from tests.support.system import AUTHORIZATION, System
from tests.support.waiting import eventually


async def test_a_dead_letter_is_found_mended_and_replayed_across_processes(roles: Roles) -> None:
    registry = roles.start("registry")
    ingest, worker = roles.start("ingest"), roles.start("worker", SLUICE_RESOLVER_UNKNOWN_TTL="0.5")
    urls = ",".join(process.url for process in (registry, ingest, worker))
    console = roles.start("console", SLUICE_CONSOLE_PORT="0", SLUICE_CONSOLE_PROCESSES=urls)
    visitor = Visitor(console.url)
    happened: list[str] = []
    following = threading.Thread(target=follow, args=(visitor, happened))
    following.start()
    created = visitor.submit("/keys", on="/keys", name="Gateway", verification_code="serial=devaddr")
    key = re.search(r'class="secret">([^<]+)<', created.text)
    assert key is not None

    def send() -> int:
        headers = {"Authorization": key[1]}
        return httpx.post(f"{ingest.url}/uplink", json={"devaddr": "0a1b", "level": 5}, headers=headers).status_code

    await eventually(lambda: send() == 202)
    await eventually(lambda: send() == 202 and {"accepted", "dead"} <= list_stages(happened), poll=0.5)
    await eventually(lambda: "serial_unknown" in visitor.open("/dead"))
    letter = re.search(r'href="(/dead/letters/[^"]+)"', visitor.open("/dead"))
    assert letter is not None
    assert "Create the device downstream" in visitor.open(letter[1])

    connector = visitor.open("/connectors")
    connector_id = re.search(r'href="/connectors/([0-9a-f]{24})"', connector)
    network_id = re.search(r'href="/networks/([0-9a-f]{24})"', visitor.open("/networks"))
    assert connector_id is not None
    assert network_id is not None
    new = {"network": network_id[1], "connector": connector_id[1], "name": "Probe", "serie_number": "0A1B"}
    device = visitor.submit("/devices/new", on="/networks", **new).url.path
    job = visitor.submit("/dead/replay", on="/networks", reason="serial_unknown", rate="100").url.path
    await eventually(lambda: "Done: " in visitor.open(job))

    def resent() -> bool:
        """Replay until the worker asks anew: it remembers for a while that it found no device."""
        if "serial_unknown" in visitor.open("/dead"):
            visitor.submit("/dead/replay", on="/networks", reason="serial_unknown", rate="100")
        return "level" in visitor.open(device)

    await eventually(resent, within=90, poll=1.0)
    overview = visitor.open("/")
    for process in (registry, ingest, worker):
        assert process.url in overview
    assert console.terminate() == 0
    following.join()  # its stream ends with the console
    visitor.close()
    assert all(PROFILE_TOKEN not in process.log for process in roles.processes)


def follow(visitor: Visitor, happened: list[str]) -> None:
    """Note what the live inspector's page is told, until it ends."""
    with visitor.watch() as stream:
        for line in stream.iter_lines():
            happened.append(line)  # noqa: PERF402 - as it comes, and not all at the end


def list_stages(happened: list[str]) -> set[str]:
    """Give the stages of which there was an event."""
    events = [json.loads(line.removeprefix("data: ")) for line in list(happened) if line.startswith("data: ")]
    return {event["stage"] for event in events if "stage" in event}


async def test_run_with_a_directory_in_a_file_serves_what_needs_no_registry(system_on_sqlite: System) -> None:
    """Whoever has the directory's token sees what happens and what died, and which process does it."""
    running = system_on_sqlite.run("run", SLUICE_DIRECTORY_TOKEN=DIRECTORY_TOKEN)
    urls = {role: listening_at(running, role) for role in ("ingest", "console")}
    visitor = Visitor(urls["console"], DIRECTORY_TOKEN)
    happened: list[str] = []
    following = threading.Thread(target=follow, args=(visitor, happened))
    following.start()

    def send() -> int:
        headers = {"Authorization": AUTHORIZATION}
        return httpx.post(f"{urls['ingest']}/uplink", json={"serial": "unknown-1"}, headers=headers).status_code

    await eventually(lambda: send() == 202 and {"accepted", "dead"} <= list_stages(happened), poll=0.5)
    await eventually(lambda: "serial_unknown" in visitor.open("/dead"))
    overview = visitor.open("/")
    for role in ("ingest", "worker"):
        assert f'<span class="name">{role}</span>' in overview
    assert "/networks" not in overview
    assert running.terminate() == 0
    following.join()
    visitor.close()
    assert DIRECTORY_TOKEN not in running.log


def test_run_with_a_directory_in_a_file_and_no_token_says_why_there_is_no_console(system_on_sqlite: System) -> None:
    running = system_on_sqlite.run("run")
    why = str(running.wait_for_line("console.left_out")["why"])
    assert "Set SLUICE_DIRECTORY_TOKEN" in why
    running.wait_for_line("gate.opened")
    assert all(line.get("role") != "console" for line in running.lines)
    assert running.terminate() == 0


def test_a_console_at_which_nobody_could_sign_in_does_not_start(system_on_sqlite: System) -> None:
    console = system_on_sqlite.run("console")
    assert console.wait() == 1
    assert "Set SLUICE_DIRECTORY_TOKEN" in console.log


def test_run_with_a_registry_elsewhere_serves_a_console_for_its_profiles(roles: Roles, tmp_path: Path) -> None:
    registry = roles.start("registry")
    edge = roles.run("run", SLUICE_QUEUE=f"sqlite:{tmp_path / 'edge.db'}")
    visitor = Visitor(listening_at(edge, "console"))
    assert "Generic Endpoint" in visitor.open("/networks")
    assert edge.terminate() == 0
    assert registry.terminate() == 0
    visitor.close()


def listening_at(process: Process, role: str) -> str:
    return str(process.wait_for_line("http.listening", role=role)["url"])


def test_run_serves_the_console_and_stops_while_somebody_watches(tmp_path: Path) -> None:
    running = Running(tmp_path)
    try:
        visitor = Visitor(running.url("console"))
        assert "How each part is" in visitor.open("/")
        with visitor.watch() as stream:
            assert stream.headers["Content-Type"].startswith("text/event-stream")
            assert running.process.terminate() == 0
        visitor.close()
        assert PROFILE_TOKEN not in running.process.log
    finally:
        running.process.close()
