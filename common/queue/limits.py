"""What every engine keeps to, so that what one of them takes the others take as well."""

from collections.abc import Collection
from datetime import timedelta

from common.queue.protocol import MessageTooLargeError

MESSAGE_LIMIT_BYTES = 15 * 1024 * 1024
"""RabbitMQ 4 closes the channel at 16 MiB, and with it every publish that waits on it."""

DELIVERY_LIMIT = 100
"""Deliveries after the first; a message that came back more often is poison.

A crash ages everything that its worker held, so the limit is well above the few crashes that one bad frame may cause
before it is split.
"""


def refuse_too_large(body: bytes) -> None:
    """Raise :class:`MessageTooLargeError` for the body of a message or letter beyond the limit."""
    if len(body) > MESSAGE_LIMIT_BYTES:
        raise MessageTooLargeError(f"a message of {len(body)} bytes is too large; the limit is {MESSAGE_LIMIT_BYTES}")


def refuse_unknown_step(delay: timedelta, retry_steps: Collection[timedelta]) -> None:
    """Raise ValueError for a delay that is none of the retry steps."""
    if delay not in retry_steps:
        raise ValueError(f"there is no retry step of {delay}; there are {', '.join(map(str, retry_steps))}")
