"""The whole in containers, as `docker compose up` starts it: what a gateway sends, arrives."""

import asyncio
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from tenacity import Retrying, stop_after_delay, wait_fixed

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]  # the image may have to be built from nothing

ROOT = Path(__file__).parents[2]
ROLES = ("ingest", "worker", "downstream")
WORKERS = 3
UPLINKS = 2_000
BATCH = 10
DEVICES = 50
START_SECONDS = 300
ARRIVAL_SECONDS = 120


@dataclass(frozen=True)
class Deployment:
    """One compose project of its own: its name, ports, image and authorization collide with no other's."""

    docker: str
    project: str
    authorization: str

    def compose(self, *arguments: str) -> str:
        """Run a command of compose, and give what it wrote."""
        # Without an env file and what the shell has set, so that the defaults of the file are what is tested.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SLUICE_")}
        environment |= {
            "SLUICE_IMAGE": self.image,
            "SLUICE_INGEST_PORT": "0",
            "SLUICE_DOWNSTREAM_PORT": "0",
            "DEMO_AUTHORIZATION": self.authorization,
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
    deployment = Deployment(find_docker(), project=name, authorization=secrets.token_hex(16))
    with ExitStack() as ending:
        ending.callback(deployment.run, "image", "rm", "--force", deployment.image)
        ending.callback(deployment.compose, "down", "--volumes", "--timeout", "10")
        ending.callback(deployment.print_logs)
        # Once: a build in the middle would put another image under the same name, and leave this one behind.
        deployment.compose("build")
        deployment.start()
        yield deployment


def find_docker() -> str:
    """Give the command of an engine that answers. Without one, skip; in CI, fail: there it has to be."""
    docker = shutil.which("docker")
    if docker and all(
        subprocess.run([docker, *arguments], capture_output=True, check=False).returncode == 0
        for arguments in (["info"], ["compose", "version"])
    ):
        return docker
    if os.environ.get("CI") == "true":
        pytest.fail("no Docker engine with Compose answers, and CI has to test the containers")
    pytest.skip("no Docker engine with Compose answers")


async def send_burst(url: str, authorization: str) -> list[int]:
    """Post all uplinks, as many requests at a time as the client allows, and give the statuses."""
    uplinks = [
        {"serial": f"{number % DEVICES:016X}", "payload": f"{number:08x}", "port": 1, "mark": number}
        for number in range(UPLINKS)
    ]
    async with httpx.AsyncClient(headers={"Authorization": authorization}, timeout=30) as client:
        answers = await asyncio.gather(
            *(client.post(url, json=uplinks[first : first + BATCH]) for first in range(0, UPLINKS, BATCH))
        )
    return [answer.status_code for answer in answers]


def read(url: str) -> Any:
    return httpx.get(url, timeout=30).raise_for_status().json()


async def test_every_uplink_of_a_burst_arrives_exactly_once(deployment: Deployment) -> None:
    """What was answered 202 is posted by one of three workers, once, each raw payload in a post of its own."""
    statuses = await send_burst(f"{deployment.url('ingest', 8080)}/uplink", deployment.authorization)
    assert statuses == [202] * (UPLINKS // BATCH)

    downstream = deployment.url("downstream", 8081)
    for attempt in Retrying(stop=stop_after_delay(ARRIVAL_SECONDS), wait=wait_fixed(0.25), reraise=True):
        with attempt:
            arrived = read(f"{downstream}/arrived")
            assert arrived["distinct"] == UPLINKS
    # Once the workers have stopped, nothing comes a second time any more.
    deployment.compose("stop", "worker")
    assert set(read(f"{downstream}/arrived/ids").values()) == {1}
    arrived = read(f"{downstream}/arrived")
    assert (arrived["posts"], arrived["boundary_violations"], arrived["refused"]) == (UPLINKS, 0, 0)
    posts = read(f"{downstream}/arrived/posts?limit={UPLINKS}")
    marks = [record["value"] for post in posts for record in post["records"] if record["variable"] == "mark"]
    assert sorted(marks) == list(range(UPLINKS))


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
