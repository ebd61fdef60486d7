"""What a viewer sees, gathered in the background from wherever it comes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

from common.events.engine import Seen

WAITING = 1_000
"""What waits to be shown; beyond it nothing more is taken, and whoever tells events drops what is too much."""

Gather: TypeAlias = Callable[["asyncio.Queue[Seen]"], Coroutine[Any, Any, None]]
"""Puts in what it sees, until it is cancelled."""


@asynccontextmanager
async def gathered(*gathering: Gather) -> AsyncIterator[AsyncIterator[Seen]]:
    """Give what all of these see, as long as the context lasts; raises what one of them raises."""
    seen: asyncio.Queue[Seen] = asyncio.Queue(WAITING)
    tasks = [asyncio.create_task(gather(seen)) for gather in gathering]
    try:
        yield _give(seen, tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _give(seen: "asyncio.Queue[Seen]", tasks: Sequence["asyncio.Task[None]"]) -> AsyncIterator[Seen]:
    while True:
        while not seen.empty():
            yield seen.get_nowait()
        arriving = asyncio.create_task(seen.get())
        try:
            done, _ = await asyncio.wait({arriving, *tasks}, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {arriving}:
                task.result()
            if arriving in done:
                yield arriving.result()
        finally:
            arriving.cancel()
