"""Answers of the database that are taken for a while without asking again."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Generic, TypeVar

T = TypeVar("T")


class Remembered(Generic[T]):
    """One answer, which is asked for once in a while and not for each post that needs it."""

    def __init__(self, ask: Callable[[], Awaitable[T]], seconds: float) -> None:
        self._ask = ask
        self._seconds = seconds
        self._asking = asyncio.Lock()
        self._newest: tuple[float, T] | None = None
        """The answer, and when it was asked for."""
        self._forgotten = 0

    async def get(self) -> T:
        """Give the answer, at most so many seconds old; raises what asking raises."""
        newest = self._newest
        if newest is None or not self._is_recent(newest):
            async with self._asking:
                newest = self._newest
                if newest is None or not self._is_recent(newest):  # else whoever was here before has asked
                    newest = await self._renew()
        return newest[1]

    def forget(self) -> None:
        """Ask again: it may be another answer by now."""
        self._forgotten += 1
        self._newest = None

    def _is_recent(self, answer: tuple[float, T]) -> bool:
        return monotonic() - answer[0] <= self._seconds

    async def _renew(self) -> tuple[float, T]:
        asked_at, forgotten = monotonic(), self._forgotten
        answer = (asked_at, await self._ask())
        if forgotten == self._forgotten:  # else something changed that this answer may not hold yet
            self._newest = answer
        return answer
