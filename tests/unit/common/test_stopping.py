import asyncio

import pytest

from common.stopping import run_until


class Work:
    """Goes on until it is told to end, by an error if that is given; notes what became of it."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.may_end = asyncio.Event()
        self.is_through = False

    async def __call__(self) -> None:
        try:
            await self.may_end.wait()
            if self.error is not None:
                raise self.error
        finally:
            await asyncio.sleep(0)  # it takes some turns of the loop to end
            self.is_through = True


async def test_work_goes_on_until_it_is_time_to_stop_and_has_ended_then() -> None:
    stopping, work = asyncio.Event(), (Work(), Work())
    running = asyncio.create_task(run_until(stopping, *(each() for each in work)))
    done, _ = await asyncio.wait({running}, timeout=0.01)
    assert not done
    stopping.set()
    await running
    assert all(each.is_through for each in work)


@pytest.mark.parametrize("error", [None, RuntimeError("bug")])
async def test_the_first_that_ends_ends_the_others_and_says_why(error: Exception | None) -> None:
    first, other = Work(error), Work()
    first.may_end.set()
    running = asyncio.create_task(run_until(asyncio.Event(), other(), first()))
    await asyncio.wait({running})
    assert running.exception() is error
    assert other.is_through


async def test_an_error_of_the_cleaning_up_is_raised() -> None:
    async def fail_at_the_end() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise RuntimeError("bug")

    stopping = asyncio.Event()
    running = asyncio.create_task(run_until(stopping, fail_at_the_end()))
    await asyncio.sleep(0.001)
    stopping.set()
    with pytest.raises(RuntimeError, match="bug"):
        await running


async def test_nothing_goes_on_when_the_caller_was_cancelled() -> None:
    work = Work()
    running = asyncio.create_task(run_until(asyncio.Event(), work()))
    await asyncio.sleep(0.001)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert work.is_through
    assert asyncio.all_tasks() == {asyncio.current_task()}
