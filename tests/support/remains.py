"""What a worker leaves behind, in a queue of either engine: letters, suspects, and what is for later."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

from common.dead_letter import DeadLetter
from common.queue.protocol import Delivery, Message, Queue, Remainder
from tests.support.waiting import take_one

DONE = Remainder(delivered=1)
"""Of a message with one uplink that was delivered."""


async def leave(queue: Queue, remainder: Remainder) -> None:
    """Publish a message and settle it with this remainder; nothing else may wait in the queue."""
    moved = [*remainder.suspects, *remainder.put_back, *(message for message, _ in remainder.later)]
    await queue.publish(Message(b"left behind", sum(message.uplinks for message in moved) + remainder.died))
    async with queue.consume(prefetch=1) as deliveries:
        await settle_one(deliveries, remainder)


async def bury(queue: Queue, letters: Sequence[DeadLetter]) -> None:
    """Have letters in the queue."""
    await leave(queue, Remainder(letters=letters))


async def suspect(queue: Queue, *messages: Message) -> None:
    """Have messages among the suspects."""
    await leave(queue, Remainder(suspects=messages))


async def put_off(queue: Queue, message: Message, delay: timedelta) -> None:
    """Have a message wait for its next attempt."""
    await leave(queue, Remainder(later=[(message, delay)]))


async def settle_one(deliveries: AsyncIterator[Delivery], remainder: Remainder = DONE) -> Delivery:
    """Settle the next delivery."""
    delivery = await take_one(deliveries)
    await delivery.settle(remainder)
    return delivery
