"""Dead letters: a list that is read without taking anything, and from which marks take off."""

from dataclasses import replace

from common.dead_letter import DeadLetter, Disposition
from common.queue.protocol import Queue
from common.reason import Reason
from tests.contract.engines import Engine
from tests.contract.samples import GROUP, letter
from tests.support.waiting import eventually


async def test_there_are_none_at_first(queue: Queue) -> None:
    assert await _list(queue) == []


async def test_buried_letters_are_listed_whole_and_in_order(engine: Engine, queue: Queue) -> None:
    letters = [letter(f"{GROUP}/{index}", detail=f"ü {index}") for index in range(300)]
    await queue.bury(letters)
    async with engine.open() as other:
        assert await _list(other) == letters


async def test_a_letter_is_listed_as_soon_as_it_is_buried(queue: Queue) -> None:
    for number in range(1, 20):
        await queue.bury([letter(f"{GROUP}/{number}")])
        assert len(await _list(queue)) == number


async def test_a_letter_that_holds_a_whole_frame_keeps_its_bytes(queue: Queue) -> None:
    unreadable = replace(
        letter(f"{GROUP}/0"),
        uplink_id="frame/0b3c6d0e5f8f4c1f9d6a7e8899aabbcc",
        reason=Reason.ENVELOPE_UNSUPPORTED,
        envelope=None,
        frame=bytes(range(256)),
    )
    await queue.bury([unreadable])
    assert await _list(queue) == [unreadable]


async def test_listing_changes_nothing(queue: Queue) -> None:
    await queue.bury([letter(f"{GROUP}/{index}") for index in range(5)])
    first = await _list(queue)
    assert await _list(queue) == first
    assert len(first) == 5


async def test_a_mark_takes_letters_off_the_list(queue: Queue) -> None:
    letters = [letter(f"{GROUP}/{index}") for index in range(4)]
    await queue.bury(letters)
    await queue.mark_dead_letters([f"{GROUP}/0", f"{GROUP}/2"], Disposition.REPLAYED)
    await queue.mark_dead_letters([f"{GROUP}/3"], Disposition.PURGED)
    assert await _list(queue) == [letters[1]]


async def test_an_uplink_that_dies_again_after_its_replay_is_listed_again(queue: Queue) -> None:
    await queue.bury([letter(f"{GROUP}/0", detail="first")])
    await queue.mark_dead_letters([f"{GROUP}/0"], Disposition.REPLAYED)
    again = letter(f"{GROUP}/0", detail="second")
    await queue.bury([again])
    assert await _list(queue) == [again]


async def test_a_second_letter_about_an_uplink_replaces_the_first(queue: Queue) -> None:
    other, again = letter(f"{GROUP}/1"), letter(f"{GROUP}/0", detail="second")
    await queue.bury([letter(f"{GROUP}/0", detail="first"), other])
    await queue.bury([again])
    assert await _list(queue) == [other, again]


async def test_an_entry_that_cannot_be_read_does_not_hide_the_others(engine: Engine, queue: Queue) -> None:
    before, after = letter(f"{GROUP}/0"), letter(f"{GROUP}/1")
    await queue.bury([before])
    for body in (b"\xff no JSON", b"[]", b'{"entry":"letter"}', b'{"entry":"forgotten","uplink_id":"a/0"}'):
        await engine.bury_bytes(body)
    await queue.bury([after])
    assert await _list(queue) == [before, after]


async def test_burying_and_marking_nothing_does_nothing(queue: Queue) -> None:
    await queue.bury([])
    await queue.mark_dead_letters([], Disposition.PURGED)
    assert await _list(queue) == []


async def test_depths_count_the_entries_about_dead_letters(queue: Queue) -> None:
    await queue.bury([letter(f"{GROUP}/0")])
    await queue.mark_dead_letters([f"{GROUP}/0"], Disposition.PURGED)
    await eventually(lambda: _counts_two(queue))  # an engine may count them with some delay


async def _list(queue: Queue) -> list[DeadLetter]:
    return [letter async for letter in queue.dead_letters()]


async def _counts_two(queue: Queue) -> bool:
    return (await queue.depths()).dead == 2
