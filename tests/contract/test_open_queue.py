"""``open_queue`` chooses the engine by the URL."""

from datetime import timedelta

import pytest

from common.ladder import Ladder
from common.queue import open_queue


async def test_a_url_of_another_kind_is_refused_with_those_that_there_are() -> None:
    queue = open_queue(
        "redis://user:hunter2@127.0.0.1/", prefix="p", ladder=Ladder(), dead_letter_age=timedelta(days=1), name="n"
    )
    with pytest.raises(ValueError, match="amqp://") as refusal:
        await queue.__aenter__()
    assert "hunter2" not in str(refusal.value)
