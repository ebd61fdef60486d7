"""FastStream and httpx: from the queue to the downstream."""

import asyncio
import os
from typing import Any

import uvloop
from downstream import Downstream
from faststream import FastStream
from faststream.rabbit import Channel, QueueType, RabbitBroker, RabbitQueue

PREFETCH = 10
"""Messages of 10 uplinks: more would only wait in httpx's pool, which gets slower with each that waits."""

broker = RabbitBroker(os.environ["AMQP_URL"], logger=None, default_channel=Channel(prefetch_count=PREFETCH))
downstream = Downstream()


@broker.subscriber(RabbitQueue(os.environ["QUEUE"], queue_type=QueueType.QUORUM, durable=True))
async def deliver(batch: dict[str, Any]) -> None:
    await asyncio.gather(*(downstream.post(item, batch["group"], batch["arrived_at"]) for item in batch["items"]))


if __name__ == "__main__":
    uvloop.run(FastStream(broker, logger=None).run())
