import asyncio

import pytest

from common.reason import Reason
from tests.support.uplinks import build_envelope
from workers.flood import FLOOD_FROM, WINDOW, FloodWatch, InternalErrorFloodError
from workers.outcome import Delivered, Outcome, RetryLater

(UPLINK,) = build_envelope({"serial": "A"}).uplinks()
BUG: list[Outcome] = [RetryLater(UPLINK, Reason.INTERNAL_ERROR, "bug")]
FINE: list[Outcome] = [Delivered(UPLINK)]


async def is_flood(watch: FloodWatch) -> bool:
    waiting = asyncio.create_task(watch.wait())
    await asyncio.sleep(0)
    if not waiting.done():
        waiting.cancel()
        return False
    with pytest.raises(InternalErrorFloodError, match="bug in Sluice itself"):
        await waiting
    return True


async def test_a_flood_is_when_nearly_every_request_meets_a_bug() -> None:
    watch = FloodWatch()
    for _ in range(FLOOD_FROM - 1):
        watch.note("a", BUG)
    assert not await is_flood(watch)
    watch.note("a", BUG)
    assert await is_flood(watch)


async def test_one_request_with_many_bugs_is_one_request() -> None:
    watch = FloodWatch()
    watch.note("a", BUG * 1_000)
    assert not await is_flood(watch)


async def test_bugs_between_what_goes_well_are_no_flood() -> None:
    watch = FloodWatch()
    for _ in range(WINDOW):
        watch.note("a", BUG)
        watch.note("a", FINE)
    assert not await is_flood(watch)


async def test_bugs_of_one_key_among_others_are_that_keys_and_no_flood() -> None:
    watch = FloodWatch()
    watch.note("other", FINE)
    for _ in range(2 * WINDOW):
        watch.note("a", BUG)
    assert not await is_flood(watch)
    watch.note("other", BUG)
    assert await is_flood(watch)
