"""The whole in containers, as `docker compose up` starts it: what a gateway sends, arrives."""

import asyncio
import json
import os
import re
import secrets
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.console import Visitor
from tests.support.docker import find_docker
from tests.support.pages import list_shown
from tests.support.waiting import eventually

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]  # the image may have to be built from nothing

ROOT = Path(__file__).parents[2]
ROLES = ("registry", "ingest", "worker", "console")
WORKERS = 2
UPLINKS = 2_000
BATCH = 10
DEVICES = 50
START_SECONDS = 300
ARRIVAL_SECONDS = 120
IN_FORCE_SECONDS = 5
"""Within this time everybody knows what was changed in the registry."""


@dataclass(frozen=True)
class Deployment:
    """One compose project of its own: its name, ports and image collide with no other's."""

    docker: str
    project: str
    profile_token: str

    def compose(self, *arguments: str) -> str:
        """Run a command of compose, and give what it wrote."""
        # Without an env file and what the shell has set, so that the defaults of the file are what is tested.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SLUICE_")}
        environment |= {
            "SLUICE_IMAGE": self.image,
            "SLUICE_INGEST_PORT": "0",
            "SLUICE_INGEST_URL": "http://127.0.0.1:8080",  # made of the port where nobody says it, which 0 is not
            "SLUICE_REGISTRY_PORT": "0",
            "SLUICE_CONSOLE_PORT": "0",
            "SLUICE_PROFILE_TOKEN": self.profile_token,
        }
        return self.run(
            "compose", "--project-name", self.project, "--env-file", os.devnull, *arguments, env=environment
        )

    def run(self, *arguments: str, env: dict[str, str] | None = None) -> str:
        """Run a command of docker, and give what it wrote; the test fails with that when the command does."""
        command = [self.docker, *arguments]
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.fail(f"{' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout

    def start(self) -> None:
        """Start what is not running, and return when all of it is healthy."""
        scale = ("--scale", f"worker={WORKERS}")
        self.compose("up", "--detach", *scale, "--wait", "--wait-timeout", str(START_SECONDS))

    def sluice(self, *arguments: str) -> dict[str, Any]:
        """Run one of the operator's commands where the registry runs, and give the document that it wrote."""
        document: dict[str, Any] = json.loads(
            self.compose("exec", "--no-TTY", "registry", "sluice", *arguments, "--json")
        )
        return document

    def print_logs(self) -> None:
        """Print the end of every container's log, which pytest shows when a test fails."""
        print(self.compose("logs", "--no-color", "--tail", "50"))  # noqa: T201 - see above

    @property
    def image(self) -> str:
        return f"sluice:{self.project}"

    def url(self, service: str, port: int) -> str:
        return f"http://{self.compose('port', service, str(port)).strip()}"

    def containers(self, service: str) -> list[str]:
        return self.compose("ps", "--all", "--quiet", service).split()


@pytest.fixture(scope="module")
def deployment() -> Iterator[Deployment]:
    name = f"sluice-test-{secrets.token_hex(4)}"
    deployment = Deployment(find_docker(), project=name, profile_token=secrets.token_hex(16))
    with ExitStack() as ending:
        ending.callback(deployment.run, "image", "rm", "--force", deployment.image)
        ending.callback(deployment.compose, "down", "--volumes", "--timeout", "10")
        ending.callback(deployment.print_logs)
        # Once: a build in the middle would put another image under the same name, and leave this one behind.
        deployment.compose("build")
        deployment.start()
        yield deployment


@dataclass(frozen=True)
class Fleet:
    """Devices that the registry knows, by their serials, and a key to send for them."""

    key: str
    device_tokens: dict[str, str]


@pytest.fixture(scope="module")
def fleet(deployment: Deployment) -> Fleet:
    """The first device and the key as an operator creates them, the others as a program does."""
    created = deployment.sluice("device", "create", "FLEET-0", "--key", "demo")
    tokens = {"FLEET-0": str(created["token"])}
    device = {"network": created["network"], "connector": created["connector"]}
    with httpx.Client(headers={"Authorization": deployment.profile_token}, timeout=30) as client:
        for number in range(1, DEVICES):
            serial = f"FLEET-{number}"
            answer = client.post(
                f"{deployment.url('registry', 8081)}/device", json={**device, "name": serial, "serie_number": serial}
            )
            tokens[serial] = str(answer.raise_for_status().json()["result"]["token"])
    return Fleet(str(created["key"]["token"]), tokens)


async def send_burst(url: str, fleet: Fleet, marks: range) -> list[int]:
    """Post an uplink for each mark, as many requests at a time as the client allows, and give the statuses."""
    serials = list(fleet.device_tokens)
    uplinks = [{"serial": serials[mark % DEVICES], "payload": f"{mark:08x}", "port": 1, "mark": mark} for mark in marks]
    async with httpx.AsyncClient(headers={"Authorization": fleet.key}, timeout=30) as client:
        answers = await asyncio.gather(
            *(client.post(url, json=uplinks[first : first + BATCH]) for first in range(0, len(uplinks), BATCH))
        )
    return [answer.status_code for answer in answers]


def read_marks(url: str, fleet: Fleet) -> list[int]:
    """Read the marks back from every device, as its owner does."""
    marks: list[int] = []
    for token in fleet.device_tokens.values():
        query: dict[str, str | int] = {"variables": "mark", "qty": 10_000}
        answer = httpx.get(f"{url}/data", params=query, headers={"Device-Token": token}, timeout=30)
        marks.extend(record["value"] for record in answer.raise_for_status().json()["result"])
    return sorted(marks)


async def test_every_uplink_of_a_burst_is_read_back_from_its_device_exactly_once(
    deployment: Deployment, fleet: Fleet
) -> None:
    """What was answered 202 is stored, also what a worker that is killed in the middle had in hand."""
    ingest, registry = f"{deployment.url('ingest', 8080)}/uplink", deployment.url("registry", 8081)
    # An empty request of a known key is answered 400, of any other one 403.
    headers = {"Authorization": fleet.key}
    await eventually(lambda: httpx.post(ingest, headers=headers).status_code == 400, within=IN_FORCE_SECONDS, poll=0.2)
    sending = asyncio.create_task(send_burst(ingest, fleet, range(UPLINKS)))
    await eventually(lambda: asyncio.to_thread(read_marks, registry, fleet), within=ARRIVAL_SECONDS)
    deployment.run("kill", "--signal", "KILL", deployment.containers("worker")[0])
    assert await sending == [202] * (UPLINKS // BATCH)
    await eventually(
        lambda: asyncio.to_thread(lambda: len(read_marks(registry, fleet)) >= UPLINKS), within=ARRIVAL_SECONDS, poll=0.5
    )
    assert read_marks(registry, fleet) == list(range(UPLINKS))


async def test_whoever_has_the_profile_s_token_signs_in_at_the_console_and_sees_all_of_it(
    deployment: Deployment, fleet: Fleet
) -> None:
    """It reaches the registry, the queue, the live events, and every process, each of the workers included."""
    deployment.start()
    visitor = Visitor(deployment.url("console", 8082), deployment.profile_token)
    assert "FLEET-0" in visitor.open("/devices")
    assert "There is no dead letter" in visitor.open("/dead")
    ready = re.compile(r'"name">(\w+) at http://[^<]+</span> <span class="word">ready<')
    everything = sorted(["ingest", "registry", *["worker"] * WORKERS])
    await eventually(lambda: sorted(ready.findall(visitor.open("/"))) == everything, within=ARRIVAL_SECONDS, poll=0.5)
    watching = asyncio.create_task(asyncio.to_thread(wait_for_event, visitor, "posted"))
    ingest, headers = f"{deployment.url('ingest', 8080)}/uplink", {"Authorization": fleet.key}
    async with asyncio.timeout(ARRIVAL_SECONDS):
        while not watching.done():  # again: the viewer may not have been heard when the first one came
            httpx.post(ingest, json={"serial": "FLEET-0", "level": 1}, headers=headers)
            await asyncio.wait({watching}, timeout=1)
    watching.result()
    visitor.close()


def wait_for_event(visitor: Visitor, stage: str) -> None:
    """Follow the live inspector's page until it is told of an uplink at this stage."""
    with visitor.watch() as stream:
        assert any(f'"stage":"{stage}"' in line for line in stream.iter_lines())


async def test_the_commands_of_the_readme_do_what_it_says(deployment: Deployment) -> None:
    deployment.start()
    commands = [shlex.split(shown.command, comments=True) for shown in list_shown("README.md")]
    inside = [words for words in commands if words[:3] == ["docker", "compose", "exec"]]
    create, create_sender, burst, letters = (words[3:] for words in inside)
    assert "curl" in deployment.compose("exec", "--no-TTY", *create)
    key = json.loads(deployment.compose("exec", "--no-TTY", *create_sender, "--json"))["key"]["token"]
    ingest, headers = f"{deployment.url('ingest', 8080)}/uplink", {"Authorization": key}
    await eventually(lambda: httpx.post(ingest, headers=headers).status_code == 400, within=ARRIVAL_SECONDS, poll=0.2)
    sent = deployment.compose("exec", "--no-TTY", *(key if word == "KEY" else word for word in burst))
    assert "20,000" in sent
    assert "dead letters: 0" in deployment.compose("exec", "--no-TTY", *letters)


@pytest.mark.parametrize("role", ROLES)
def test_a_container_runs_as_nobody_special_on_a_file_system_that_it_cannot_change(
    deployment: Deployment, role: str
) -> None:
    """A role that is broken into has no rights and nowhere to stay."""
    deployment.start()
    for container in deployment.containers(role):
        probe = "import os; print(os.getuid(), os.statvfs('/').f_flag & os.ST_RDONLY)"
        assert deployment.run("exec", container, "python", "-c", probe).split() == ["10001", "1"]
        status = deployment.run("exec", container, "cat", "/proc/1/status")
        assert "CapEff:\t0000000000000000" in status
        assert "NoNewPrivs:\t1" in status


def test_a_worker_that_is_stopped_ends_in_order(deployment: Deployment) -> None:
    """SIGTERM is obeyed within the grace period: nobody has to kill the process."""
    deployment.start()
    deployment.compose("stop", "worker")
    workers = deployment.containers("worker")
    exit_codes = [deployment.run("inspect", "--format", "{{.State.ExitCode}}", worker).strip() for worker in workers]
    assert exit_codes == ["0"] * WORKERS
