"""An uplink that kills every worker that tries it: it dies, and nobody else does."""

import asyncio
from contextlib import suppress

from common.dead_letter import DeadLetter
from common.envelope import Envelope, encode_frame
from common.ladder import Ladder
from common.queue.protocol import Message, Queue
from common.reason import Reason
from tests.contract.engines import Engine
from tests.support.uplinks import build_envelope
from workers.breaker import Breaker
from workers.consumer import Consumer
from workers.outcome import Delivered, Outcome
from workers.settlement import Settlement

KILLER = "KILLER"


class Mortal:
    """A worker that dies as soon as it meets the killer, with everything else still in its hands."""

    def __init__(self, delivered: list[str]) -> None:
        self._delivered = delivered
        self.death = asyncio.Event()

    async def process(self, envelope: Envelope) -> list[Outcome]:
        if self.death.is_set() or any(uplink.item == {"serial": KILLER} for uplink in envelope.uplinks()):
            self.death.set()
            await asyncio.Event().wait()
        await asyncio.sleep(0)  # the killer may be met meanwhile
        self._delivered.extend(uplink.id for uplink in envelope.uplinks())
        return [Delivered(uplink) for uplink in envelope.uplinks()]

    async def live(self, queue: Queue) -> None:
        """Work until death, or until everything is done."""
        consumer = Consumer(queue, self.process, Settlement(Ladder()), Breaker(never_asked), uplinks_in_hand=1_000)
        running = asyncio.create_task(consumer.run(asyncio.Event(), grace=0))
        done = asyncio.create_task(self._wait_until_done(queue))
        await asyncio.wait({asyncio.create_task(self.death.wait()), done}, return_when=asyncio.FIRST_COMPLETED)
        await queue.close()
        for task in (running, done):
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task

    async def _wait_until_done(self, queue: Queue) -> None:
        while True:
            depths = await queue.depths()
            if depths.work == depths.suspects == 0 and await list_letters(queue):
                return
            await asyncio.sleep(0.05)


async def never_asked() -> None:
    raise AssertionError("the downstream has no part in this")


async def list_letters(queue: Queue) -> list[DeadLetter]:
    return [letter async for letter in queue.dead_letters()]


async def test_only_the_uplink_that_kills_workers_dies(engine: Engine) -> None:
    async with engine.open() as queue:
        for number in range(10):
            items = [{"serial": f"S{number}-{n}"} for n in range(2)]
            if number == 3:
                items[1] = {"serial": KILLER}
            envelope = build_envelope(*items, group=f"{number:024x}")
            await queue.publish(Message(encode_frame([envelope]), 2))
    delivered: list[str] = []
    lives = 0
    letters: list[DeadLetter] = []
    while not letters:
        lives += 1
        assert lives < 12, "it kills more workers than it may"
        async with engine.open() as queue:
            await Mortal(delivered).live(queue)
        async with engine.open() as queue:
            letters = await list_letters(queue)
    assert [(letter.uplink_id[-3:], letter.reason) for letter in letters] == [("3/1", Reason.INTERNAL_ERROR)]
    assert len(set(delivered)) == 19
