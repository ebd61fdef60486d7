"""A registry behind a real HTTP server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from common.serving import ServingOptions, bind, serve_http
from registry.service import Registry


@asynccontextmanager
async def serve(registry: Registry) -> AsyncIterator[str]:
    """Serve a registry on a free port; give its URL."""
    listener = bind("127.0.0.1", registry.port)
    stopping = asyncio.Event()
    serving = asyncio.create_task(
        serve_http(
            registry.app, listener, ServingOptions(grace=1), role="registry", draining=stopping, stopping=stopping
        )
    )
    running = asyncio.create_task(registry.run(stopping))
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    stopping.set()
    await asyncio.gather(serving, running)
