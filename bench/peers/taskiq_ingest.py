"""Starlette and taskiq-aio-pika: POST /uplink to a quorum queue, 202 when the broker has confirmed it."""

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from taskiq_tasks import broker, deliver

BODY_LIMIT = 1_048_576
ITEMS_LIMIT = 1_000


async def status(_: Request) -> JSONResponse:
    return JSONResponse({"status": True, "message": "Running"})


async def take(request: Request) -> JSONResponse:
    authorization = request.headers.get("authorization")
    if authorization is None:
        raise HTTPException(401, "Authorization is missing")
    if authorization != os.environ["AUTHORIZATION"]:
        raise HTTPException(403, "Authorization Denied")
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise HTTPException(415, "Content-Type must be application/json")
    body = await request.body()
    if len(body) > BODY_LIMIT:
        raise HTTPException(413, "The body is too large")
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise HTTPException(400, f"The body is not valid JSON: {error}") from None
    items = document if isinstance(document, list) else [document]
    if not 0 < len(items) <= ITEMS_LIMIT:
        raise HTTPException(400, "Missing body information, or too many uplinks")
    for index, item in enumerate(items):
        if not isinstance(item, dict) or not isinstance(item.get("serial"), str) or not item["serial"]:
            raise HTTPException(400, f"item {index}: no object with a serial")
    group = secrets.token_hex(12)
    await deliver.kiq(group, datetime.now(UTC).isoformat(), items)
    return JSONResponse({"status": True, "result": f"{len(items)} uplinks accepted", "group": group}, 202)


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    await broker.startup()
    yield
    await broker.shutdown()


app = Starlette(
    routes=[Route("/", status), Route("/uplink", take, methods=["POST"])],
    lifespan=lifespan,
)

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), log_level="warning", access_log=False)
