"""A rolling update under load, behind a load balancer: nobody is refused, nothing is lost, nothing comes twice.

Imports nothing of Sluice.
"""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import pytest

from tests.support.processes import Process
from tests.support.proxy import Proxy
from tests.support.system import AUTHORIZATION, System
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(600)

SENDERS = 8
BATCH = 5
PACE_SECONDS = 0.1
"""Between two requests of a sender: what is started meanwhile needs the machine as well."""

START_SECONDS = 120.0
DRAIN_SECONDS = "600"
"""Far longer than the balancer takes to notice; a second signal ends it, so that no test depends on the time."""


@dataclass
class Load:
    """What is sent without a pause, on connections that are kept, and how it was answered."""

    url: str
    accepted: set[str] = field(default_factory=set)
    answers: Counter[str] = field(default_factory=Counter)
    turns: list[int] = field(default_factory=lambda: [0] * SENDERS)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        ending = asyncio.Event()
        async with httpx.AsyncClient(timeout=60, headers={"Authorization": AUTHORIZATION}) as client:
            sending = [asyncio.create_task(self._send(client, number, ending)) for number in range(SENDERS)]
            try:
                yield
            finally:
                ending.set()
                await asyncio.gather(*sending)

    async def some_more(self) -> None:
        """Return when every sender has sent two more requests, and had the answers."""
        before = list(self.turns)
        await eventually(lambda: all(now >= then + 2 for now, then in zip(self.turns, before, strict=True)), within=120)

    async def _send(self, client: httpx.AsyncClient, number: int, ending: asyncio.Event) -> None:
        body = [{"serial": f"S{number}", "payload": f"{index:02x}"} for index in range(BATCH)]
        while not ending.is_set():
            try:
                answer = await client.post(f"{self.url}/uplink", json=body)
            except httpx.TransportError as error:
                self.answers[repr(error)] += 1
                await asyncio.sleep(PACE_SECONDS)
                continue
            self.turns[number] += 1
            self.answers[str(answer.status_code)] += 1
            if answer.status_code == httpx.codes.ACCEPTED:
                self.accepted.update(f"{answer.json()['group']}/{index}" for index in range(BATCH))
            await asyncio.sleep(PACE_SECONDS)


async def start_ingest(system: System) -> Process:
    ingest = system.run("ingest", SLUICE_DRAIN_DELAY=DRAIN_SECONDS)
    await asyncio.to_thread(ingest.wait_for_line, "gate.opened", within=START_SECONDS)
    return ingest


async def start_worker(system: System) -> Process:
    worker = system.run("worker")
    await asyncio.to_thread(worker.wait_for_line, "http.listening", within=START_SECONDS)
    return worker


async def says_that_it_drains(process: Process) -> None:
    """Return when a load balancer that asks the process would notice."""

    async def is_not_ready() -> bool:
        async with httpx.AsyncClient() as client:
            return (await client.get(f"{process.url}/readyz")).status_code == httpx.codes.SERVICE_UNAVAILABLE

    await eventually(is_not_ready, within=60)


async def replace_ingests(system: System, ingests: list[Process], balancer: Proxy, load: Load) -> None:
    """Start another for each, and stop the old one, which is sent to until the balancer has noticed that it drains."""
    for _ in range(len(ingests)):
        ingests.append(await start_ingest(system))
        balancer.point_at(*(ingest.url for ingest in ingests))
        await load.some_more()
        old = ingests.pop(0)
        old.send_signal(signal.SIGTERM)
        await says_that_it_drains(old)
        await load.some_more()
        balancer.point_at(*(ingest.url for ingest in ingests))
        await load.some_more()
        assert await asyncio.to_thread(old.terminate, within=60) == 0
        await load.some_more()


async def replace_workers(system: System, workers: list[Process], load: Load) -> None:
    """Replace one after another; a queue in a file has one consumer, so there the old one goes first."""
    for _ in range(len(workers)):
        if system.workers_at_once > 1:
            workers.append(await start_worker(system))
        assert await asyncio.to_thread(workers.pop(0).terminate, within=60) == 0
        if system.workers_at_once == 1:
            workers.append(await start_worker(system))
        await load.some_more()


async def test_ingests_and_workers_are_replaced_under_load_and_no_sender_notices(system: System) -> None:
    ingests = [await start_ingest(system) for _ in range(2)]
    workers = [await start_worker(system) for _ in range(system.workers_at_once)]
    async with Proxy(*(ingest.url for ingest in ingests)) as balancer:
        load = Load(balancer.url.rstrip("/"))
        async with load.running():
            await load.some_more()
            await replace_workers(system, workers, load)
            await replace_ingests(system, ingests, balancer, load)
            await replace_workers(system, workers, load)
    assert load.answers.keys() == {"202"}, load.answers
    await eventually(lambda: system.arrived()["distinct"] >= len(load.accepted), within=120)
    ids = system.arrived_ids()
    assert set(ids) == load.accepted
    assert set(ids.values()) == {1}, [uplink_id for uplink_id, count in ids.items() if count > 1]
    assert system.dead_letters() == []
