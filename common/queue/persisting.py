"""Trying again what a queue does not take, for as long as there is a delivery to settle."""

from collections.abc import Awaitable, Callable

from tenacity import AsyncRetrying, retry_if_exception_type, wait_random_exponential

from common.queue.protocol import QueueUnavailableError

LONGEST_PAUSE_SECONDS = 2.0
"""Between two tries."""


async def persist(call: Callable[[], Awaitable[None]], is_lost: Callable[[], bool]) -> None:
    """Call until the queue takes it. Raises :class:`QueueUnavailableError` once the delivery is lost."""
    try:
        await call()
    except QueueUnavailableError:
        if is_lost():
            raise
    else:
        return  # retrying costs, and is seldom needed
    retrying = AsyncRetrying(
        retry=retry_if_exception_type(QueueUnavailableError),
        stop=lambda _: is_lost(),
        reraise=True,
        wait=wait_random_exponential(multiplier=0.1, max=LONGEST_PAUSE_SECONDS),
    )
    await retrying(call)
