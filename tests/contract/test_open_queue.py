"""``open_queue`` chooses the engine by the URL, and makes a queue or finds one."""

from datetime import timedelta

import pytest

from common.ladder import Ladder
from common.queue import open_queue
from common.queue.protocol import Queue, QueueMissingError, QueueUnavailableError
from tests.contract.engines import Engine
from tests.contract.samples import GROUP, letter, message
from tests.support.remains import bury


async def test_a_url_of_another_kind_is_refused_with_those_that_there_are() -> None:
    queue = open_queue(
        "redis://user:hunter2@127.0.0.1/", prefix="p", ladder=Ladder(), dead_letter_age=timedelta(days=1), name="n"
    )
    with pytest.raises(ValueError, match="amqp://") as refusal:
        await queue.__aenter__()
    assert "hunter2" not in str(refusal.value)


async def test_who_wants_an_existing_queue_is_told_that_there_is_none_and_makes_none(engine: Engine) -> None:
    async with engine.open(existing_only=True) as queue:
        with pytest.raises(QueueMissingError, match="there is no queue"):
            await queue.depths()
        with pytest.raises(QueueUnavailableError, match="there is no queue"):
            await list_ids(queue)
        with pytest.raises(QueueUnavailableError, match="there is no queue"):
            await queue.publish(message("a"))
    assert not await engine.exists()


async def test_who_wants_an_existing_queue_finds_the_one_that_is_there(engine: Engine, queue: Queue) -> None:
    await bury(queue, [letter(f"{GROUP}/0")])
    async with engine.open(existing_only=True) as found:
        assert await list_ids(found) == [f"{GROUP}/0"]
        await found.replay_dead_letters([letter(f"{GROUP}/0")])
    assert (await queue.depths()).work == 1


async def list_ids(queue: Queue) -> list[str]:
    return [letter.uplink_id async for letter in queue.dead_letters()]
