"""Waiting for a condition with a deadline, in place of sleeping: it ends the moment the condition holds."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")

DEADLINE_SECONDS = 20.0
"""Far more than anything takes on a slow machine; only a failing test waits that long."""

POLL_SECONDS = 0.02


@overload
async def eventually(
    condition: Callable[[], Awaitable[T]], *, within: float = DEADLINE_SECONDS, poll: float = POLL_SECONDS
) -> T: ...


@overload
async def eventually(
    condition: Callable[[], T], *, within: float = DEADLINE_SECONDS, poll: float = POLL_SECONDS
) -> T: ...


async def eventually(
    condition: Callable[[], Any], *, within: float = DEADLINE_SECONDS, poll: float = POLL_SECONDS
) -> Any:
    """Return the condition's first true value. Fails the test with its last value after ``within`` seconds."""
    value = None
    try:
        async with asyncio.timeout(within):
            while not value:
                value = condition()
                if inspect.isawaitable(value):
                    value = await value
                if not value:
                    await asyncio.sleep(poll)
    except TimeoutError:
        raise AssertionError(f"the condition did not hold within {within:g} s; it was {value!r}") from None
    return value


async def take(items: AsyncIterator[T], count: int, *, within: float = DEADLINE_SECONDS) -> list[T]:
    """Take ``count`` items; fails the test when they do not come within ``within`` seconds."""
    taken: list[T] = []
    try:
        async with asyncio.timeout(within):
            while len(taken) < count:
                taken.append(await anext(items))
    except TimeoutError:
        raise AssertionError(f"only {len(taken)} of {count} came within {within:g} s: {taken!r}") from None
    return taken


async def take_one(items: AsyncIterator[T], *, within: float = DEADLINE_SECONDS) -> T:
    """Take the next item; fails the test when it does not come within ``within`` seconds."""
    return (await take(items, 1, within=within))[0]
