import asyncio
from collections import deque

import pytest

from common.gathering import Gatherer


class Sender:
    """Notes what is sent together, and is through with it when it is let."""

    def __init__(self) -> None:
        self.sent: list[list[int]] = []
        self.may_end = asyncio.Event()

    async def __call__(self, together: list[int]) -> None:
        self.sent.append(together)
        await self.may_end.wait()


def take_three(waiting: deque[int]) -> list[int]:
    return [waiting.popleft() for _ in range(min(3, len(waiting)))]


@pytest.fixture
def sender() -> Sender:
    return Sender()


@pytest.fixture
def gatherer(sender: Sender) -> Gatherer[int]:
    return Gatherer(take_three, sender, in_flight=2)


async def turn() -> None:
    """Let everything happen that can happen now."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_comes_in_one_turn_travels_together_as_far_as_it_fits(
    gatherer: Gatherer[int], sender: Sender
) -> None:
    for n in range(4):
        gatherer.add(n)
    assert sender.sent == []
    await turn()
    assert sender.sent == [[0, 1, 2], [3]]


async def test_while_enough_is_in_flight_the_rest_waits_and_may_be_given_up(
    gatherer: Gatherer[int], sender: Sender
) -> None:
    for n in range(5):
        gatherer.add(n)
        await turn()
    assert (sender.sent, list(gatherer.waiting)) == ([[0], [1]], [2, 3, 4])
    gatherer.waiting.popleft()
    sender.may_end.set()
    await turn()
    assert sender.sent == [[0], [1], [3, 4]]
