"""What is measured: Sluice, its peers (bench/peers) and the floor; how each is started, and what it leaves behind."""

import asyncio
import contextlib
import os
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import aio_pika

from bench.programs import REPOSITORY, Program, free_port
from bench.uplinks import AUTHORIZATION, NETWORK_TOKEN
from tests.support import leftovers

AMQP_URL = os.environ.get("SLUICE_TEST_AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/")

PEERS = REPOSITORY / "bench" / "peers"
INSTALLED = REPOSITORY / "build" / "peers"
PYTHON = str(INSTALLED / "python" / "bin" / "python")
TASKIQ = str(INSTALLED / "python" / "bin" / "taskiq")
SLUICE = str(Path(sys.executable).with_name("sluice"))

CONSOLE_TOKEN = "bench-directory-token"
"""What one signs in with at a console."""

DIRECTORY = f"""
[downstream]
url = "{{downstream}}"
[networks.bench]
token = "{NETWORK_TOKEN}"
[authorizations.bench]
token = "{AUTHORIZATION}"
network = "bench"
"""


@dataclass(frozen=True, slots=True)
class System:
    """How a system is started: the process that takes requests, and the one that posts, where that is another.

    ``ready`` is the path that is answered with success once it can take uplinks; ``sqlite``: its queue is a file.
    """

    name: str
    ingest: tuple[str, ...]
    worker: tuple[str, ...] | None = None
    ready: str = "/"
    sqlite: bool = False
    folder: Path = REPOSITORY


FLOOR = System("floor", (sys.executable, "-m", "bench.floor"))
RABBITMQ = System("Sluice", (SLUICE, "ingest"), (SLUICE, "worker"), ready="/readyz")
SQLITE = System("Sluice on SQLite", (SLUICE, "ingest"), (SLUICE, "worker"), ready="/readyz", sqlite=True)
RUN = System("sluice run on SQLite", (SLUICE, "run"), ready="/readyz", sqlite=True)
NODE = System("Node.js", ("node", "node_ingest.js"), ("node", "node_worker.js"), folder=PEERS)
FASTSTREAM = System("FastStream", (PYTHON, "faststream_ingest.py"), (PYTHON, "faststream_worker.py"), folder=PEERS)
TASKIQ_SYSTEM = System(
    "taskiq",
    (PYTHON, "taskiq_ingest.py"),
    (TASKIQ, "worker", "taskiq_tasks:broker", "--workers", "1", "--max-async-tasks", "200", "--log-level", "WARNING"),
    folder=PEERS,
)
FORWARDER = System("synchronous forwarder", ("node", "node_forwarder.js"), folder=PEERS)


class Deployment:
    """One system that runs in front of a sink, on a queue of its own."""

    def __init__(self, system: System, folder: Path, sink_url: str) -> None:
        self.system = system
        self._folder = folder
        self._prefix = f"bench-{uuid.uuid4().hex[:8]}"
        self._sink_url = sink_url
        self.programs: dict[str, Program] = {}
        self._urls: dict[str, str] = {}

    async def start_ingest(self) -> str:
        """Start a process that takes requests, and give its URL once it does."""
        program = await self._start("ingest", self.system.ingest, free_port())
        url = self.url("ingest")
        await program.wait_ready(url + self.system.ready)
        return url

    async def start_worker(self) -> Program:
        """Start a process that posts, and give it; the one that takes requests, where that does both."""
        if self.system.worker is None:
            return self.programs["ingest-1"]
        return await self._start("worker", self.system.worker, free_port())

    async def start_console(self) -> str:
        """Start Sluice's console, which looks at what was started before, and give its URL once it serves."""
        port = free_port()
        settings = {
            "SLUICE_CONSOLE_PORT": str(port),
            "SLUICE_CONSOLE_PROCESSES": ",".join(self._urls.values()),
            "SLUICE_DIRECTORY_TOKEN": CONSOLE_TOKEN,
        }
        program = await self._start("console", (SLUICE, "console"), port, settings)
        await program.wait_ready(f"{self.url('console')}/readyz")
        return self.url("console")

    def url(self, role: str) -> str:
        """Give where the newest process of a role listens."""
        return self._urls[role]

    async def purge(self) -> None:
        """Empty the work queue."""
        if not self.system.sqlite:
            await _purge(self._work_queue)

    async def close(self) -> None:
        for program in self.programs.values():
            await program.stop()
        if not self.system.sqlite:
            await delete_queues(self._prefix)

    @property
    def _work_queue(self) -> str:
        return f"{self._prefix}.uplinks"

    async def _start(
        self, role: str, command: tuple[str, ...], port: int, settings: Mapping[str, str] | None = None
    ) -> Program:
        name = f"{role}-{len(self.programs) + 1}"
        environment = self._environment(port, is_worker=role == "worker") | dict(settings or {})
        program = await Program.start(command, environment, self._folder / f"{name}.log", folder=self.system.folder)
        self.programs[name] = program
        self._urls[role] = f"http://127.0.0.1:{port}"
        return program

    def _environment(self, port: int, *, is_worker: bool) -> dict[str, str]:
        directory = self._folder / "sluice.toml"
        directory.write_text(DIRECTORY.format(downstream=self._sink_url))
        queue = f"sqlite:{self._folder}/queue.db" if self.system.sqlite else AMQP_URL
        return {
            "SLUICE_QUEUE": queue,
            "SLUICE_QUEUE_PREFIX": self._prefix,
            "SLUICE_DATA": str(self._folder),
            "SLUICE_DIRECTORY": str(directory),
            "SLUICE_INGEST_PORT": "0" if is_worker else str(port),
            "SLUICE_WORKER_PORT": str(port) if is_worker else "0",
            "SLUICE_LOG_LEVEL": "WARNING",
            "PORT": str(port),
            "AMQP_URL": AMQP_URL,
            "QUEUE": self._work_queue,
            "DOWNSTREAM": self._sink_url,
            "AUTHORIZATION": AUTHORIZATION,
            "NETWORK_TOKEN": NETWORK_TOKEN,
            "NODE_PATH": str(INSTALLED / "node" / "node_modules"),
        }


@contextlib.asynccontextmanager
async def deploy(system: System, sink_url: str = "http://127.0.0.1:1") -> AsyncIterator[Deployment]:
    """Give a place for a system to run in, and leave nothing of it behind."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        deployment = Deployment(system, Path(folder), sink_url)
        try:
            yield deployment
        finally:
            await deployment.close()


async def _purge(queue: str) -> None:
    async with await aio_pika.connect(AMQP_URL) as connection, connection.channel() as channel:
        try:
            await (await channel.get_queue(queue)).purge()
        except aio_pika.exceptions.ChannelNotFoundEntity:  # a system without a queue
            return


async def delete_queues(prefix: str) -> None:
    """Delete every queue and exchange of a system: Sluice's, and what taskiq declares beside its work queue."""
    await asyncio.to_thread(leftovers.delete_queues, AMQP_URL, prefix)
    async with await aio_pika.connect(AMQP_URL) as connection, connection.channel() as channel:
        await channel.queue_delete(f"{prefix}.uplinks.dead")
        await channel.exchange_delete(f"{prefix}.uplinks")
