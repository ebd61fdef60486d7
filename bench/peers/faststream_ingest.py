"""FastAPI and FastStream: POST /uplink to a quorum queue, 202 when the broker has confirmed it."""

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

import uvicorn
from fastapi import FastAPI, Header, HTTPException
from faststream.rabbit import QueueType, RabbitBroker, RabbitQueue
from pydantic import BaseModel, ConfigDict, Field

QUEUE = RabbitQueue(os.environ["QUEUE"], queue_type=QueueType.QUORUM, durable=True)

broker = RabbitBroker(os.environ["AMQP_URL"], logger=None)


class Uplink(BaseModel):
    model_config = ConfigDict(extra="allow")
    serial: str = Field(min_length=1)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    await broker.start()
    await broker.declare_queue(QUEUE)
    yield
    await broker.stop()


app = FastAPI(lifespan=lifespan)


@app.get("/")
async def status() -> dict[str, Any]:
    return {"status": True, "message": "Running"}


@app.post("/uplink", status_code=202)
async def take(
    uplinks: Uplink | Annotated[list[Uplink], Field(min_length=1, max_length=1_000)],
    authorization: Annotated[str | None, Header()] = None,
) -> dict[str, Any]:
    if authorization is None:
        raise HTTPException(401, "Authorization is missing")
    if authorization != os.environ["AUTHORIZATION"]:
        raise HTTPException(403, "Authorization Denied")
    items = uplinks if isinstance(uplinks, list) else [uplinks]
    batch = {
        "group": secrets.token_hex(12),
        "arrived_at": datetime.now(UTC).isoformat(),
        "items": [item.model_dump() for item in items],
    }
    await broker.publish(batch, QUEUE, persist=True)
    return {"status": True, "result": f"{len(items)} uplinks accepted", "group": batch["group"]}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), log_level="warning", access_log=False)
