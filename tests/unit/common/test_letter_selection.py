"""Which letters fit a query."""

from collections.abc import Collection
from datetime import timedelta
from typing import Any

import pytest

from common.dead_letter import DeadLetter
from common.directory.model import Directory
from common.letter_selection import LetterQuery, LetterSelection
from common.reason import Reason
from common.serial import SerialRule
from tests.support.directories import build_directory, build_key, build_network
from tests.support.letters import DIED_AT, GROUP, build_frame_letter, build_letter
from tests.support.queues import FakeQueue

NOW = DIED_AT + timedelta(hours=2)

DIRECTORY = build_directory(
    build_key("factory", network="lorawan", field_map="serial=devaddr"),
    build_key("office", network="plain"),
    networks=(build_network("lorawan", serial=SerialRule("FF-FF-FF-FF", "upper")), build_network("plain")),
)


def listing(*letters: DeadLetter) -> FakeQueue:
    queue = FakeQueue()
    queue.letters = [*letters]
    return queue


async def choose(
    letters: Collection[DeadLetter], *, directory: Directory | None = None, **wanted: Any
) -> tuple[list[DeadLetter], LetterSelection]:
    selection = LetterSelection(query=LetterQuery(**wanted), directory=directory, now=NOW)
    return [letter async for letter in selection.choose(listing(*letters))], selection


async def fits(letter: DeadLetter, directory: Directory | None = None, **wanted: Any) -> bool:
    chosen, _ = await choose([letter], directory=directory, **wanted)
    return chosen == [letter]


async def test_without_a_filter_every_letter_is_meant_in_its_order() -> None:
    letters = [build_letter(1), build_frame_letter(), build_letter(0)]
    assert (await choose(letters))[0] == letters


async def test_uplinks_that_are_named_are_meant_and_those_that_are_missing_are_known() -> None:
    letters = [build_letter(0), build_letter(1)]
    chosen, selection = await choose(letters, uplink_ids=frozenset({f"{GROUP}/1", f"{GROUP}/7"}))
    assert chosen == [letters[1]]
    assert selection.missing == [f"{GROUP}/7"]


async def test_an_uplink_that_is_named_and_does_not_fit_the_filter_is_not_missing() -> None:
    chosen, selection = await choose([build_letter(0)], key=("office",), uplink_ids=frozenset({f"{GROUP}/0"}))
    assert (chosen, selection.missing) == ([], [])


async def test_the_letters_that_are_meant_are_counted_by_reason_and_key() -> None:
    letters = [build_letter(0), build_letter(1), build_letter(2, key="office"), build_frame_letter()]
    _, selection = await choose(letters)
    assert selection.by_reason == {Reason.SERIAL_UNKNOWN: 3, Reason.ENVELOPE_UNSUPPORTED: 1}
    assert selection.counts == {
        (Reason.SERIAL_UNKNOWN, "factory"): 2,
        (Reason.SERIAL_UNKNOWN, "office"): 1,
        (Reason.ENVELOPE_UNSUPPORTED, ""): 1,
    }


async def test_what_is_cut_is_named_where_it_is_not_meant_and_else_a_letter_as_any_other() -> None:
    whole, cut = build_letter(0), build_frame_letter(b'{"vers', uplink_id=f"{GROUP}/7")
    selection = LetterSelection(query=LetterQuery(), directory=None, skip_cut=True)
    assert await selection.choose_ids(listing(whole, cut)) == {whole.id}
    assert (selection.cut, selection.counts.total()) == ([cut.uplink_id], 1)
    selection = LetterSelection(query=LetterQuery(), directory=None)
    assert await selection.choose_ids(listing(whole, cut)) == {whole.id, cut.id}
    assert (selection.cut, selection.counts.total()) == ([], 2)


@pytest.mark.parametrize(("number", "shown"), [(1, [0, 1]), (2, [2, 3]), (3, [4]), (4, [])])
async def test_of_a_page_s_letters_all_are_counted(number: int, shown: list[int]) -> None:
    letters = [build_letter(index) for index in range(5)]
    selection = LetterSelection(query=LetterQuery(), directory=None)
    assert await selection.choose_page(listing(*letters), 2, number) == [letters[index] for index in shown]
    assert selection.counts.total() == 5


async def test_what_died_after_a_moment_is_not_meant() -> None:
    assert await fits(build_letter(), until=DIED_AT)
    assert not await fits(build_letter(), until=DIED_AT - timedelta(microseconds=1))


async def test_one_of_several_reasons_is_enough_and_every_kind_of_filter_has_to_fit() -> None:
    reasons = (Reason.SERIAL_UNKNOWN, Reason.VALUE_REFUSED)
    assert await fits(build_letter(), reason=reasons)
    assert await fits(build_letter(), reason=reasons, key=("factory",))
    assert not await fits(build_letter(), reason=reasons, key=("office",))
    assert not await fits(build_letter(reason=Reason.INTERNAL_ERROR), reason=reasons)


@pytest.mark.parametrize(
    ("older_than", "younger_than", "expected"),
    [
        (timedelta(hours=1), None, True),
        (timedelta(hours=3), None, False),
        (None, timedelta(hours=3), True),
        (None, timedelta(hours=1), False),
        (timedelta(hours=1), timedelta(hours=3), True),
    ],
)
async def test_a_letter_is_as_old_as_its_death(
    older_than: timedelta | None, younger_than: timedelta | None, expected: bool
) -> None:
    assert await fits(build_letter(), older_than=older_than, younger_than=younger_than) is expected


async def test_the_network_is_that_of_the_key_as_it_is_today() -> None:
    assert await fits(build_letter(), DIRECTORY, network=("lorawan",))
    assert not await fits(build_letter(), DIRECTORY, network=("plain",))
    assert not await fits(build_letter(key="gone"), DIRECTORY, network=("lorawan", "plain"))


@pytest.mark.parametrize("wanted", ["12-ba-b3-4b", "12BAB34B", "12bab34b"])
async def test_the_serial_is_found_by_todays_map_in_whichever_form_it_is_asked_for(wanted: str) -> None:
    letter = build_letter(item={"devaddr": "12-ba-b3-4b", "serial": "another"})
    assert await fits(letter, DIRECTORY, serial=(wanted,))
    assert not await fits(letter, DIRECTORY, serial=("another",))


async def test_a_serial_that_fits_no_form_of_its_network_is_found_as_it_came() -> None:
    """That is what many letters died of."""
    letter = build_letter(item={"devaddr": "broken"}, reason=Reason.SERIAL_MALFORMED)
    assert await fits(letter, DIRECTORY, serial=("broken",))


async def test_where_todays_map_finds_no_serial_the_common_names_are_tried() -> None:
    assert await fits(build_letter(item={"serial": "12BAB34B"}), DIRECTORY, serial=("12BAB34B",))


async def test_without_a_directory_a_serial_is_found_under_its_common_names() -> None:
    assert await fits(build_letter(), serial=("12BAB34B55",))
    assert not await fits(build_letter(item={"mine": "12BAB34B55"}), serial=("12BAB34B55",))


@pytest.mark.parametrize("wanted", [{"key": ("factory",)}, {"network": ("lorawan",)}, {"serial": ("12BAB34B55",)}])
async def test_a_letter_about_a_whole_message_has_no_key_network_or_serial(wanted: dict[str, tuple[str]]) -> None:
    assert not await fits(build_frame_letter(), DIRECTORY, **wanted)
