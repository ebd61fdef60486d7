"""Working until it is time to stop."""

import asyncio
from collections.abc import Coroutine
from typing import Any


async def run_until(stopping: asyncio.Event, *work: Coroutine[Any, Any, None]) -> None:
    """Run ``work`` side by side until ``stopping`` is set, or any of it ends; what goes on is cancelled and waited for.

    Raises what the work raised, the first of it where there is more.
    """
    tasks = [asyncio.create_task(each) for each in (*work, _wait(stopping))]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.result()


async def _wait(stopping: asyncio.Event) -> None:
    await stopping.wait()
