"""An answer is asked for once in a while, and again when somebody says that it is another."""

import asyncio

import pytest

from registry.remembered import Remembered
from tests.support.waiting import eventually


class Asked:
    """Answers with how often it was asked, or fails, when it is let."""

    def __init__(self) -> None:
        self.times = 0
        self.error: Exception | None = None
        self.let = asyncio.Event()
        self.let.set()

    async def __call__(self) -> int:
        self.times += 1
        answer = self.times
        await self.let.wait()
        if self.error is not None:
            raise self.error
        return answer


@pytest.fixture
def asked() -> Asked:
    return Asked()


async def test_those_who_ask_at_once_share_an_answer(asked: Asked) -> None:
    remembered = Remembered(asked, 3600)
    assert await asyncio.gather(*(remembered.get() for _ in range(5))) == [1] * 5
    assert await remembered.get() == 1


async def test_an_old_answer_is_asked_for_again(asked: Asked) -> None:
    remembered = Remembered(asked, -1)
    assert [await remembered.get() for _ in range(3)] == [1, 2, 3]


async def test_an_answer_that_is_forgotten_while_it_comes_is_not_kept(asked: Asked) -> None:
    remembered = Remembered(asked, 3600)
    asked.let.clear()
    asking = asyncio.create_task(remembered.get())
    await eventually(lambda: asked.times)
    remembered.forget()
    asked.let.set()
    assert (await asking, await remembered.get(), await remembered.get()) == (1, 2, 2)


async def test_those_who_wait_for_an_answer_that_does_not_come_are_told_together(asked: Asked) -> None:
    """And not one after the other: where the database is a black hole, each would wait for its own time-out."""
    asked.error = ConnectionRefusedError("no server at 127.0.0.1")
    remembered = Remembered(asked, 3600)
    told = await asyncio.gather(*(remembered.get() for _ in range(5)), return_exceptions=True)
    assert told == [asked.error] * 5
    assert asked.times == 1
    asked.error = None
    assert await remembered.get() == 2


async def test_whoever_goes_away_leaves_the_others_their_answer(asked: Asked) -> None:
    remembered = Remembered(asked, 3600)
    asked.let.clear()
    leaving, staying = (asyncio.create_task(remembered.get()) for _ in range(2))
    await eventually(lambda: asked.times)
    leaving.cancel()
    asked.let.set()
    assert await staying == 1
    assert asked.times == 1
