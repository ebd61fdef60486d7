"""Trying again what a queue does not take."""

import pytest

from common.queue.persisting import persist
from common.queue.protocol import MessageTooLargeError, QueueUnavailableError


class Call:
    """Fails as often as it is told, with these errors in turn."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    async def __call__(self) -> None:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)


async def test_what_is_taken_is_asked_for_once() -> None:
    call = Call()
    await persist(call, lambda: False)
    assert call.calls == 1


async def test_what_is_refused_is_tried_until_it_is_taken() -> None:
    call = Call(*(QueueUnavailableError("away") for _ in range(3)))
    await persist(call, lambda: False)
    assert call.calls == 4


@pytest.mark.parametrize("tries", [1, 3])
async def test_the_tries_end_when_the_delivery_is_lost(tries: int) -> None:
    call = Call(*(QueueUnavailableError("away") for _ in range(9)))
    with pytest.raises(QueueUnavailableError):
        await persist(call, lambda: call.calls >= tries)
    assert call.calls == tries


async def test_what_can_never_be_taken_is_not_tried_again() -> None:
    call = Call(MessageTooLargeError("too large"))
    with pytest.raises(MessageTooLargeError):
        await persist(call, lambda: False)
    assert call.calls == 1
