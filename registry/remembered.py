"""Answers of the database that are taken for a while without asking again."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from time import monotonic
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Remembered(Generic[T]):
    """One answer, which is asked for once in a while and not for each post that needs it."""

    def __init__(self, ask: Callable[[], Coroutine[Any, Any, T]], seconds: float) -> None:
        self._ask = ask
        self._seconds = seconds
        self._flight: asyncio.Task[T] | None = None
        self._newest: tuple[float, T] | None = None
        """The answer, and when it was asked for."""

    async def get(self) -> T:
        """Give the answer, at most so many seconds old; those who wait for it together raise what asking raises."""
        if self._newest is not None and monotonic() - self._newest[0] <= self._seconds:
            return self._newest[1]
        flight = self._flight
        if flight is None:
            # In a task of its own, so that a waiter who is cancelled does not end it for the others.
            flight = self._flight = asyncio.create_task(self._ask())
            flight.add_done_callback(partial(self._land, monotonic()))
        return await asyncio.shield(flight)

    def forget(self) -> None:
        """Ask again: it may be another answer by now."""
        self._flight = self._newest = None

    def _land(self, asked_at: float, flight: asyncio.Task[T]) -> None:
        # Every waiter may be gone, and then nobody else looks at what it raised.
        failed = flight.cancelled() or flight.exception() is not None
        if flight is self._flight:  # else something changed that its answer may not hold yet
            self._flight = None
            self._newest = None if failed else (asked_at, flight.result())
