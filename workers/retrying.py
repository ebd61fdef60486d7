"""Blips: a request that failed for a moment is repeated in place, while the delivery is unacked.

Longer outages are the ladder's. These two loops have one owner each, and every library's own retries are off.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay, wait_random_exponential

from workers.answers import ThrottledError, TransientError

T = TypeVar("T")

FIRST_WAIT_SECONDS = 0.25
LONGEST_WAIT_SECONDS = 3.0


class BlipRetrying:
    """Repeats a call for ``seconds`` in all, with growing, jittered waits; 0 repeats nothing.

    Only a :class:`TransientError` is repeated, and not one that names a time to wait: that is for the ladder.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._wait = wait_random_exponential(multiplier=FIRST_WAIT_SECONDS, max=LONGEST_WAIT_SECONDS)

    async def call(self, request: Callable[[], Awaitable[T]]) -> T:
        """Give the result of ``request``, or raise its last error."""
        try:
            return await request()  # the usual case pays for no retry machinery
        except TransientError as error:
            if not self._seconds or not _is_blip(error):
                raise
        retrying = AsyncRetrying(
            retry=retry_if_exception(_is_blip),
            stop=stop_after_delay(self._seconds),
            wait=self._wait,
            reraise=True,
        )
        await asyncio.sleep(FIRST_WAIT_SECONDS)

        async def repeat() -> T:  # tenacity tells a coroutine function by its looks, and a lambda has none
            return await request()

        return await retrying(repeat)


def _is_blip(error: BaseException) -> bool:
    return isinstance(error, TransientError) and not isinstance(error, ThrottledError) and error.retry_after is None
