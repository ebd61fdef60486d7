"""taskiq-aio-pika and httpx: the task that a worker runs; ``taskiq worker taskiq_tasks:broker``."""

import asyncio
import os
from typing import Any

from downstream import Downstream
from taskiq_aio_pika import AioPikaBroker, Exchange, Queue, QueueType

QUEUE = os.environ["QUEUE"]
PREFETCH = 10
"""Messages of 10 uplinks: more would only wait in httpx's pool, which gets slower with each that waits."""

broker = AioPikaBroker(
    os.environ["AMQP_URL"],
    qos=PREFETCH,
    exchange=Exchange(name=QUEUE),
    task_queues=[Queue(name=QUEUE, type=QueueType.QUORUM)],
    dead_letter_queue=Queue(name=f"{QUEUE}.dead", type=QueueType.QUORUM),
)
downstream: Downstream | None = None


@broker.task
async def deliver(group: str, arrived_at: str, items: list[dict[str, Any]]) -> None:
    global downstream  # noqa: PLW0603 - a client belongs to the loop of the worker
    downstream = downstream or Downstream()
    post = downstream.post
    await asyncio.gather(*(post(item, group, arrived_at) for item in items))
