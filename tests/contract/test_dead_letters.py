"""Dead letters: a list that is read without taking anything, and from which marks take off."""

from dataclasses import replace
from datetime import timedelta

import pytest

from common.dead_letter import HISTORY_LENGTH, DeadLetter, Disposition
from common.envelope import decode_frame
from common.queue.protocol import Message, Queue
from common.reason import Reason
from tests.contract.engines import Engine
from tests.contract.samples import GROUP, NOON, letter
from tests.support.remains import bury
from tests.support.waiting import eventually, take_one

LATER = NOON + timedelta(seconds=1)


async def test_there_are_none_at_first(queue: Queue) -> None:
    assert await _list(queue) == []


async def test_buried_letters_are_listed_whole_and_in_order(engine: Engine, queue: Queue) -> None:
    letters = [letter(f"{GROUP}/{index}", detail=f"ü {index}") for index in range(300)]
    await bury(queue, letters)
    async with engine.open() as other:
        assert await _list(other) == letters


async def test_a_letter_is_listed_as_soon_as_it_is_buried(queue: Queue) -> None:
    for number in range(1, 20):
        await bury(queue, [letter(f"{GROUP}/{number}")])
        assert len(await _list(queue)) == number


async def test_a_letter_that_holds_a_whole_frame_keeps_its_bytes(queue: Queue) -> None:
    unreadable = replace(
        letter(f"{GROUP}/0"),
        uplink_id="frame/0b3c6d0e5f8f4c1f9d6a7e8899aabbcc",
        reason=Reason.ENVELOPE_UNSUPPORTED,
        envelope=None,
        frame=bytes(range(256)),
    )
    await bury(queue, [unreadable])
    assert await _list(queue) == [unreadable]


async def test_listing_changes_nothing(queue: Queue) -> None:
    await bury(queue, [letter(f"{GROUP}/{index}") for index in range(5)])
    first = await _list(queue)
    assert await _list(queue) == first
    assert len(first) == 5


async def test_a_mark_takes_letters_off_the_list(queue: Queue) -> None:
    letters = [letter(f"{GROUP}/{index}") for index in range(4)]
    await bury(queue, letters)
    await queue.mark_dead_letters([letters[0].id, letters[2].id], Disposition.REPLAYED)
    await queue.mark_dead_letters([letters[3].id], Disposition.PURGED)
    assert await _list(queue) == [letters[1]]


async def test_a_mark_takes_no_later_letter_about_the_same_uplink(queue: Queue) -> None:
    """A replayed uplink may have died again before the mark is written; it must not vanish with the first letter."""
    first, second = letter(f"{GROUP}/0", detail="first"), letter(f"{GROUP}/0", detail="second", died_at=LATER)
    await bury(queue, [first])
    await bury(queue, [second])
    await queue.mark_dead_letters([first.id], Disposition.REPLAYED)
    [listed] = await _list(queue)
    assert replace(listed, history=()) == second


async def test_a_clock_that_is_behind_makes_no_letter_older_than_it_is(queue: Queue) -> None:
    """The worker that the uplink died at again may have another clock than the one before."""
    first, second = letter(f"{GROUP}/0", detail="first", died_at=LATER), letter(f"{GROUP}/0", detail="second")
    await bury(queue, [first])
    await bury(queue, [second])
    await queue.mark_dead_letters([first.id], Disposition.REPLAYED)
    [listed] = await _list(queue)
    assert replace(listed, history=()) == second


async def test_an_uplink_that_dies_again_after_its_replay_is_one_letter_with_its_history(queue: Queue) -> None:
    first, second = letter(f"{GROUP}/0", detail="first"), letter(f"{GROUP}/0", detail="second", died_at=LATER)
    await bury(queue, [first])
    await queue.replay_dead_letters([first])
    await bury(queue, [second])
    [listed] = await _list(queue)
    assert replace(listed, history=()) == second
    [death] = listed.history
    assert (death.detail, death.died_at, death.disposition) == ("first", NOON, Disposition.REPLAYED)


async def test_a_replay_puts_the_letter_into_the_work_queue_for_its_first_attempt(queue: Queue) -> None:
    dead = letter(f"{GROUP}/7")
    assert dead.envelope is not None
    tried = replace(dead, attempts=28, envelope=replace(dead.envelope, attempt=28))
    await bury(queue, [tried])
    await queue.replay_dead_letters([tried])
    assert await _list(queue) == []
    async with queue.consume(prefetch=1) as deliveries:
        delivery = await take_one(deliveries)
    assert (delivery.message.uplinks, delivery.message.attempt, delivery.count) == (1, 1, 1)
    assert decode_frame(delivery.message.body) == [replace(dead.envelope, attempt=1)]


async def test_a_frame_that_nobody_could_read_is_replayed_as_it_came_and_under_its_id(queue: Queue) -> None:
    body = b'{"version":7}'
    unreadable = replace(letter(f"{GROUP}/0"), uplink_id="frame/0b3c6d0e", envelope=None, frame=body, uplinks=37)
    await bury(queue, [unreadable])
    await queue.replay_dead_letters([unreadable])
    async with queue.consume(prefetch=1) as deliveries:
        delivery = await take_one(deliveries)
    assert delivery.message == Message(body, uplinks=37, version=7)
    assert delivery.message_id == "0b3c6d0e"


async def test_a_letter_that_is_cut_is_not_replayed_and_nor_are_those_beside_it(queue: Queue) -> None:
    whole, cut = letter(f"{GROUP}/0"), replace(letter(f"{GROUP}/1"), envelope=None, frame=b'{"vers')
    await bury(queue, [whole, cut])
    with pytest.raises(ValueError, match=f"{GROUP}/1"):
        await queue.replay_dead_letters([whole, cut])
    assert await _list(queue) == [whole, cut]
    assert (await queue.depths()).work == 0


async def test_a_mark_of_an_older_release_takes_off_whatever_is_on_the_list(engine: Engine, queue: Queue) -> None:
    await bury(queue, [letter(f"{GROUP}/0"), letter(f"{GROUP}/1")])
    mark = b'{"version":1,"entry":"purged","uplink_id":"%b/0","at":"2026-11-21T12:00:01.000000Z"}' % GROUP.encode()
    await engine.bury_bytes(mark)
    assert await _list(queue) == [letter(f"{GROUP}/1")]


async def test_a_second_letter_about_an_uplink_replaces_the_first(queue: Queue) -> None:
    other, again = letter(f"{GROUP}/1"), letter(f"{GROUP}/0", detail="second")
    await bury(queue, [letter(f"{GROUP}/0", detail="first"), other])
    await bury(queue, [again])
    listed = await _list(queue)
    assert [replace(letter, history=()) for letter in listed] == [other, again]
    assert [(death.detail, death.disposition) for death in listed[1].history] == [("first", None)]


async def test_a_history_holds_the_latest_deaths(queue: Queue) -> None:
    deaths = [
        letter(f"{GROUP}/0", detail=str(number), died_at=NOON + timedelta(seconds=number))
        for number in range(HISTORY_LENGTH + 3)
    ]
    for death in deaths:
        await bury(queue, [death])
        await queue.replay_dead_letters([death])
    last = letter(f"{GROUP}/0", died_at=NOON + timedelta(minutes=1))
    await bury(queue, [last])
    [listed] = await _list(queue)
    assert [death.detail for death in listed.history] == [str(number) for number in range(3, HISTORY_LENGTH + 3)]
    assert {death.disposition for death in listed.history} == {Disposition.REPLAYED}


async def test_an_entry_that_cannot_be_read_does_not_hide_the_others(engine: Engine, queue: Queue) -> None:
    before, after = letter(f"{GROUP}/0"), letter(f"{GROUP}/1")
    await bury(queue, [before])
    for body in (b"\xff no JSON", b"[]", b'{"entry":"letter"}', b'{"entry":"forgotten","uplink_id":"a/0"}'):
        await engine.bury_bytes(body)
    await bury(queue, [after])
    assert await _list(queue) == [before, after]


async def test_burying_replaying_and_marking_nothing_does_nothing(queue: Queue) -> None:
    await bury(queue, [])
    await queue.replay_dead_letters([])
    await queue.mark_dead_letters([], Disposition.PURGED)
    assert await _list(queue) == []


async def test_depths_count_the_entries_about_dead_letters(queue: Queue) -> None:
    await bury(queue, [letter(f"{GROUP}/0")])
    await queue.mark_dead_letters([letter(f"{GROUP}/0").id], Disposition.PURGED)
    await eventually(lambda: _counts_two(queue))  # an engine may count them with some delay


async def _list(queue: Queue) -> list[DeadLetter]:
    return [letter async for letter in queue.dead_letters()]


async def _counts_two(queue: Queue) -> bool:
    return (await queue.depths()).dead == 2
