from dataclasses import replace
from datetime import UTC, datetime

from common.dead_letter import DeadLetter, Disposition, Mark, fold_entries
from common.reason import Reason

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def letter(uplink_id: str, detail: str = "") -> DeadLetter:
    return DeadLetter(uplink_id, Reason.SERIAL_UNKNOWN, detail, 1, NOW, NOW, frame=b"")


def mark(uplink_id: str) -> Mark:
    return Mark(uplink_id, Disposition.REPLAYED, NOW)


def test_letters_are_listed_in_the_order_in_which_they_died() -> None:
    assert fold_entries([letter("b"), letter("a")]) == [letter("b"), letter("a")]


def test_a_mark_takes_its_letter_off_the_list() -> None:
    assert fold_entries([letter("a"), letter("b"), mark("a")]) == [letter("b")]


def test_a_mark_without_a_letter_changes_nothing() -> None:
    assert fold_entries([mark("a"), letter("b")]) == [letter("b")]


def test_a_replayed_uplink_that_dies_again_is_one_letter_at_the_end() -> None:
    second = letter("a", "again")
    assert fold_entries([letter("a"), letter("b"), mark("a"), second]) == [letter("b"), second]


def test_a_second_letter_about_an_uplink_replaces_the_first() -> None:
    second = replace(letter("a"), attempts=2)
    assert fold_entries([letter("a"), letter("b"), second]) == [letter("b"), second]
