"""Blips: a request that failed for a moment is repeated in place, while the delivery is unacked.

Longer outages are the ladder's. These two loops have one owner each, and every library's own retries are off.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TypeVar

from cachetools import TTLCache
from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay, wait_random_exponential

from workers.answers import AwayError, ThrottledError, TransientError
from workers.breaker import Breaker

T = TypeVar("T")

FIRST_WAIT_SECONDS = 0.25
LONGEST_WAIT_SECONDS = 3.0

FAILING_SECONDS = 60.0
"""For so long after its blips did not end, a device's requests are tried once each: what waits in hand for one device
keeps others out."""

MOST_FAILING = 10_000


class BlipRetrying:
    """Repeats a call that failed for ``seconds``, with growing, jittered waits; 0 repeats nothing.

    Only a :class:`TransientError` is repeated, and not one that names a time to wait: that is for the ladder. While the
    breaker is open nothing is tried: the call waits, and raises :class:`AwayError` once it has been open for so long.
    """

    def __init__(self, seconds: float, breaker: Breaker) -> None:
        self._seconds = seconds
        self._breaker = breaker
        self._failing: TTLCache[str, bool] = TTLCache(MOST_FAILING, ttl=FAILING_SECONDS)
        self._wait = wait_random_exponential(multiplier=FIRST_WAIT_SECONDS, max=LONGEST_WAIT_SECONDS)

    async def call(self, request: Callable[[], Awaitable[T]], *, about: str) -> T:
        """Give the result of ``request``, or raise its last error; ``about`` tells one device from another."""
        try:
            return await self._try(request)
        except AwayError:  # the breaker is open: nothing was tried
            raise
        except TransientError as error:
            if not self._seconds or not _is_blip(error) or about in self._failing:
                raise await self._attribute(error, about) from None
        try:
            return await self._repeat(request)
        except TransientError as error:
            raise await self._attribute(error, about) from None

    async def _try(self, request: Callable[[], Awaitable[T]]) -> T:
        """Try once, which is the usual case and pays for no retry machinery."""
        while True:
            await self._breaker.wait_closed(self._seconds)
            with contextlib.suppress(AwayError):  # it opened while the request waited for its turn: nothing was tried
                return await request()

    async def _attribute(self, error: TransientError, about: str) -> TransientError:
        """Give the error that says whom a failure is about: the downstream as a whole, or this device alone."""
        if isinstance(error, ThrottledError):
            return error
        if isinstance(error, AwayError) or await self._breaker.find_away():
            return AwayError(str(error), tried=True)
        self._failing[about] = True
        return error

    async def _repeat(self, request: Callable[[], Awaitable[T]]) -> T:
        retrying = AsyncRetrying(
            retry=retry_if_exception(_is_blip),
            stop=stop_after_delay(self._seconds),
            wait=self._wait,
            sleep=self._rest,
            reraise=True,
        )
        await self._rest(FIRST_WAIT_SECONDS)

        async def repeat() -> T:  # tenacity tells a coroutine function by its looks, and a lambda has none
            return await request()

        return await retrying(repeat)

    async def _rest(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self._breaker.wait_closed(self._seconds)


def _is_blip(error: BaseException) -> bool:
    return isinstance(error, TransientError) and not isinstance(error, ThrottledError) and error.retry_after is None
