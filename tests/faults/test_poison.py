"""Single uplinks and frames that nobody can bear, among many that are well."""

import base64
import os
import uuid
from pathlib import Path

import aio_pika
import pytest

from tests.faults.cell import IN_HAND, UPLINKS, Cell, Explanation
from tests.support.broker import BrokerContainer
from tests.support.system import AUTHORIZATION, System

pytestmark = [pytest.mark.rabbitmq, pytest.mark.docker, pytest.mark.timeout(1_800)]

KILLER = Path(__file__).with_name("killer")
MOST_DEATHS = 12
VERSION_OF_TOMORROW = 7
FRAME_OF_TOMORROW = b'{"version": %d, "parcels": []}' % VERSION_OF_TOMORROW
"""Nothing in it is known but the version."""


async def test_an_uplink_kills_every_worker_that_tries_it(system: System, cell: Cell) -> None:
    """Workers that die are started again, as a supervisor does; the uplink dies, and nobody else."""
    ingest = system.start_ingest()
    path = os.pathsep.join([str(KILLER), *filter(None, [os.environ.get("PYTHONPATH")])])
    deadly = {"PYTHONPATH": path, "KILLER_MARK": f'-{UPLINKS // 3}"'}
    workers = [system.start_worker(**deadly) for _ in range(2)]
    cell.send(ingest.url, AUTHORIZATION, UPLINKS)
    deaths = 0
    while not cell.dead_marks():
        dead = [worker for worker in workers if worker.exit_code is not None]
        for worker in dead:
            deaths += 1
            assert deaths <= MOST_DEATHS, "it kills more workers than it may"
            workers.remove(worker)
            workers.append(system.start_worker(**deadly))
        await cell.pass_seconds(0.5)
    cell.note = f"{deaths} workers died of it"
    explanation = Explanation("posted by a worker that died, not yet acknowledged", deaths * IN_HAND)
    await cell.balance(dead={"internal_error": 1}, twice=explanation)


async def test_a_frame_of_an_unknown_version_waits_and_dies_alone(
    system: System, cell: Cell, own_broker: BrokerContainer
) -> None:
    """Published straight into the work queue, as an ingest of tomorrow would; it becomes a dead letter as a whole."""
    system.environment["SLUICE_RETRY_ATTEMPTS"] = "3"
    ingest = system.start_ingest()
    system.start_worker()
    cell.send(ingest.url, AUTHORIZATION, UPLINKS)
    await cell.arrived(UPLINKS // 4)
    await publish_frame_of_tomorrow(own_broker.url, f"{system.prefix}.uplinks")
    await cell.balance()
    letters = [(letter["reason"], base64.b64decode(letter["frame"])) for letter in system.dead_letters()]
    assert letters == [("envelope_unsupported", FRAME_OF_TOMORROW)]


async def publish_frame_of_tomorrow(url: str, queue: str) -> None:
    """Publish what no worker of today can read."""
    message = aio_pika.Message(
        FRAME_OF_TOMORROW,
        headers={"uplinks": 1, "attempt": 1, "version": VERSION_OF_TOMORROW},
        message_id=uuid.uuid4().hex,
        content_type="application/json",
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
    )
    async with await aio_pika.connect(url) as connection, connection.channel() as channel:
        await channel.default_exchange.publish(message, queue, mandatory=True)
