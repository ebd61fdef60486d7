"""Which letters fit a filter."""

from collections.abc import AsyncIterator, Collection
from datetime import timedelta

import pytest

from cli.dead_filter import LetterFilter, parse_age
from common.dead_letter import DeadLetter
from common.directory.model import Directory
from common.letter_selection import LetterSelection
from common.reason import Reason
from common.serial import SerialRule
from tests.support.directories import build_directory, build_key, build_network
from tests.support.letters import DIED_AT, GROUP, build_frame_letter, build_letter

NOW = DIED_AT + timedelta(hours=2)

DIRECTORY = build_directory(
    build_key("factory", network="lorawan", field_map="serial=devaddr"),
    build_key("office", network="plain"),
    networks=(build_network("lorawan", serial=SerialRule("FF-FF-FF-FF", "upper")), build_network("plain")),
)


async def choose(
    letters: Collection[DeadLetter],
    wanted: LetterFilter | None = None,
    *,
    uplink_ids: Collection[str] = (),
    directory: Directory | None = None,
) -> tuple[list[DeadLetter], LetterSelection]:
    async def listed() -> AsyncIterator[DeadLetter]:
        for letter in letters:
            yield letter

    selection = LetterSelection(uplink_ids, wanted or LetterFilter(), directory, NOW)
    return [letter async for letter in selection.choose(listed())], selection


async def fits(letter: DeadLetter, directory: Directory | None = None, **wanted: object) -> bool:
    chosen, _ = await choose([letter], LetterFilter(**wanted), directory=directory)  # type: ignore[arg-type]
    return chosen == [letter]


async def test_without_a_filter_every_letter_is_meant_in_its_order() -> None:
    letters = [build_letter(1), build_frame_letter(), build_letter(0)]
    assert (await choose(letters))[0] == letters


async def test_uplinks_that_are_named_are_meant_and_those_that_are_missing_are_known() -> None:
    letters = [build_letter(0), build_letter(1)]
    chosen, selection = await choose(letters, uplink_ids=[f"{GROUP}/1", f"{GROUP}/7"])
    assert chosen == [letters[1]]
    assert selection.missing == [f"{GROUP}/7"]


async def test_an_uplink_that_is_named_and_does_not_fit_the_filter_is_not_missing() -> None:
    chosen, selection = await choose([build_letter(0)], LetterFilter(key=("office",)), uplink_ids=[f"{GROUP}/0"])
    assert (chosen, selection.missing) == ([], [])


async def test_the_letters_that_are_meant_are_counted_by_reason() -> None:
    letters = [build_letter(0), build_letter(1), build_frame_letter()]
    _, selection = await choose(letters)
    assert selection.by_reason == {Reason.SERIAL_UNKNOWN: 2, Reason.ENVELOPE_UNSUPPORTED: 1}


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
async def test_a_letter_about_a_whole_message_has_no_key_network_or_serial(wanted: dict[str, object]) -> None:
    assert not await fits(build_frame_letter(), DIRECTORY, **wanted)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("45s", 45), ("10m", 600), ("2h", 7_200), ("3d", 259_200), ("0s", 0), ("999999d", 86_399_913_600)],
)
def test_an_age_is_a_number_and_a_unit(text: str, seconds: int) -> None:
    assert parse_age(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "10", "m", "-1h", "1.5h", "1w", "1h30m", "٣h", "9999999d"])
def test_what_is_no_age_is_refused_with_what_would_be(text: str) -> None:
    with pytest.raises(ValueError, match="10m, 2h or 3d"):
        parse_age(text)
