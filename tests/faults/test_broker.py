"""RabbitMQ restarts, dies, starves, or cannot be reached, under load."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.faults.cell import IN_HAND, UNDER_WAY, UPLINKS, Cell, Explanation
from tests.faults.cluster import Cluster, cluster_of_three
from tests.faults.conftest import name_cell
from tests.faults.network import CuttableNetwork
from tests.faults.sinks import StubSink
from tests.support.broker import BOOT_SECONDS, BrokerContainer, BrokerMissingError, leave_out, takes_login
from tests.support.system import AUTHORIZATION, System
from tests.support.waiting import eventually

pytestmark = [pytest.mark.rabbitmq, pytest.mark.docker, pytest.mark.timeout(1_800)]

WORKERS = 2
OUTAGE_SECONDS = 30.0
RETURNED = Explanation(
    "posted and not acknowledged when the connection broke, or stored without a confirm and sent again by the gateway",
    WORKERS * IN_HAND + UNDER_WAY,
)
REFUSED = "503"
ENOUGH_MEMORY = "0.6"
ENOUGH_DISK = "50MB"


def start_load(system: System, cell: Cell) -> None:
    ingest = system.start_ingest()
    for _ in range(WORKERS):
        system.start_worker()
    cell.send(ingest.url, AUTHORIZATION, UPLINKS)


async def test_the_broker_is_restarted(system: System, cell: Cell, own_broker: BrokerContainer) -> None:
    """In good order, as for an upgrade; the recovery includes the broker's own stop and start."""
    start_load(system, cell)
    await cell.accepted(UPLINKS // 4)
    async with cell.recovering():
        own_broker.restart()
        await eventually(lambda: takes_login(own_broker.url), within=BOOT_SECONDS)
    await cell.balance(twice=RETURNED, felt=REFUSED)


@pytest.mark.ci
async def test_the_broker_is_killed(system: System, cell: Cell, own_broker: BrokerContainer) -> None:
    """By kill -9; the recovery includes the broker's own start."""
    start_load(system, cell)
    await cell.accepted(UPLINKS // 4)
    own_broker.kill()
    async with cell.recovering():
        own_broker.start()
        await eventually(lambda: takes_login(own_broker.url), within=BOOT_SECONDS)
    await cell.balance(twice=RETURNED, felt=REFUSED)


@pytest.mark.ci
async def test_the_brokers_memory_alarm_is_raised_and_lifted(
    system: System, cell: Cell, own_broker: BrokerContainer
) -> None:
    """Nothing is published meanwhile, and what is queued goes on being delivered."""
    start_load(system, cell)
    await cell.accepted(UPLINKS // 4)
    own_broker.control("set_vm_memory_high_watermark", "0.00001")
    try:
        await cell.pass_seconds(OUTAGE_SECONDS / 3)
    finally:
        async with cell.recovering():
            own_broker.control("set_vm_memory_high_watermark", ENOUGH_MEMORY)
    await cell.balance(twice=RETURNED, felt=REFUSED)


async def test_the_brokers_disk_alarm_is_raised_and_lifted(
    system: System, cell: Cell, own_broker: BrokerContainer
) -> None:
    """The broker believes that its disk is full: its limit of free space is above what there is."""
    start_load(system, cell)
    await cell.accepted(UPLINKS // 4)
    own_broker.control("set_disk_free_limit", "100000GB")
    try:
        await cell.pass_seconds(OUTAGE_SECONDS)
    finally:
        async with cell.recovering():
            own_broker.control("set_disk_free_limit", ENOUGH_DISK)
    await cell.balance(twice=RETURNED, felt=REFUSED)


async def test_the_network_to_the_broker_is_cut_for_half_a_minute(
    cell: Cell, system: System, own_broker: BrokerContainer
) -> None:
    """A proxy between Sluice and its broker swallows everything: nobody is told that the other side is gone."""
    with CuttableNetwork(own_broker.url) as network:
        system.environment["SLUICE_QUEUE"] = network.url
        start_load(system, cell)
        await cell.accepted(UPLINKS // 4)
        network.blackhole()
        await cell.pass_seconds(OUTAGE_SECONDS)
        async with cell.recovering():
            network.heal()
        system.environment["SLUICE_QUEUE"] = own_broker.url
        await cell.balance(twice=RETURNED, felt=REFUSED)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with ExitStack() as stack:
        try:
            cluster = stack.enter_context(cluster_of_three())
        except BrokerMissingError as error:
            leave_out(str(error))
        yield cluster


@pytest.fixture
def clustered(cluster: Cluster, tmp_path: Path) -> Iterator[System]:
    """A system on all three nodes: its connections go to whichever answers, as through a load balancer."""
    with CuttableNetwork(*cluster.urls) as network:
        system = System(network.url, tmp_path, stub_options=("--keep-posts", "0"))
        yield system
        system.close()


async def test_the_node_that_leads_the_work_queue_is_killed(
    request: pytest.FixtureRequest, clustered: System, cluster: Cluster, tmp_path: Path
) -> None:
    """One of three nodes, with all connections on it or not; it stays away until everything has arrived."""
    broker = f"RabbitMQ {cluster.version}, three nodes"
    with closing(Cell(*name_cell(request), StubSink(clustered), broker, tmp_path)) as cell:
        start_load(clustered, cell)
        await cell.arrived(UPLINKS // 4)
        leader = cluster.find_leader(f"{clustered.prefix}.uplinks")
        async with cell.recovering():
            cluster.kill(leader)
        await cell.balance(twice=RETURNED, answers=(REFUSED,))
