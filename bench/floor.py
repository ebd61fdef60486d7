"""The floor: the server of the ingest (uvicorn, plain ASGI) with a handler that only parses and answers."""

import asyncio
import os

import orjson
import uvloop
from starlette.types import Receive, Scope, Send

from common.serving import ServingOptions, bind, serve_http


async def app(_: Scope, receive: Receive, send: Send) -> None:
    body = b""
    while True:
        event = await receive()
        body += event.get("body", b"")
        if not event.get("more_body", False):
            break
    document = orjson.loads(body or b"null")
    count = len(document) if isinstance(document, list) else 1
    answer = orjson.dumps({"status": True, "result": f"{count} uplinks accepted"})
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
    await send({"type": "http.response.start", "status": 202, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


if __name__ == "__main__":
    never = asyncio.Event()
    listener = bind("127.0.0.1", int(os.environ["PORT"]))
    uvloop.run(serve_http(app, listener, ServingOptions(grace=1), role="floor", draining=never, stopping=never))
