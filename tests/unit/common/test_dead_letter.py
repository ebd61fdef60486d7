from datetime import UTC, datetime, timedelta

import pytest

from common.dead_letter import (
    HISTORY_LENGTH,
    DeadLetter,
    DeadLetterList,
    Disposition,
    Mark,
    decode_entry,
    encode_entry,
)
from common.reason import Reason

NOW = datetime(2026, 11, 21, tzinfo=UTC)
MARKED = datetime(2026, 11, 22, tzinfo=UTC)


def letter(uplink_id: str, second: int = 0, *, detail: str = "") -> DeadLetter:
    died_at = NOW + timedelta(seconds=second)
    return DeadLetter(uplink_id, Reason.SERIAL_UNKNOWN, detail, 1, NOW, died_at, frame=b"")


def mark(marked: DeadLetter, disposition: Disposition = Disposition.REPLAYED) -> Mark:
    return Mark(marked.uplink_id, disposition, MARKED, marked.died_at)


def fold(*entries: DeadLetter | Mark) -> list[DeadLetter]:
    letters = DeadLetterList()
    for entry in entries:
        letters.add(encode_entry(entry))
    return list(letters)


def ids(letters: list[DeadLetter]) -> list[tuple[str, datetime]]:
    return [letter.id for letter in letters]


def test_letters_are_listed_in_the_order_in_which_they_died() -> None:
    assert fold(letter("b"), letter("a")) == [letter("b"), letter("a")]


def test_a_mark_takes_its_letter_off_the_list() -> None:
    assert fold(letter("a"), letter("b"), mark(letter("a"))) == [letter("b")]


def test_a_mark_without_a_letter_changes_nothing() -> None:
    assert fold(mark(letter("a")), letter("b")) == [letter("b")]


def test_a_mark_that_names_no_letter_takes_whichever_is_there() -> None:
    assert fold(letter("a", 1), Mark("a", Disposition.PURGED, MARKED)) == []


def test_a_replayed_uplink_that_dies_again_is_one_letter_at_the_end_with_its_history() -> None:
    first, second = letter("a", detail="first"), letter("a", 5, detail="second")
    listed = fold(first, letter("b"), mark(first), second)
    assert ids(listed) == [letter("b").id, second.id]
    [death] = listed[1].history
    assert (death.detail, death.died_at, death.attempts) == ("first", first.died_at, 1)
    assert (death.disposition, death.marked_at) == (Disposition.REPLAYED, MARKED)


@pytest.mark.parametrize("seconds", [5, -5], ids=["later", "by a clock that is behind"])
def test_a_mark_that_comes_after_the_next_letter_leaves_that_on_the_list(seconds: int) -> None:
    first, second = letter("a"), letter("a", seconds)
    listed = fold(first, second, mark(first))
    assert ids(listed) == [second.id]
    assert [death.disposition for death in listed[0].history] == [Disposition.REPLAYED]


def test_a_second_letter_about_an_uplink_replaces_the_first_and_nothing_was_done_about_that() -> None:
    listed = fold(letter("a"), letter("b"), letter("a", 1))
    assert ids(listed) == [letter("b").id, letter("a", 1).id]
    assert [(death.died_at, death.disposition) for death in listed[1].history] == [(NOW, None)]


def test_a_mark_takes_the_letters_before_the_one_that_it_names_too() -> None:
    assert fold(letter("a"), letter("a", 1), mark(letter("a", 1))) == []


def test_an_uplink_that_comes_back_after_it_was_purged_says_so() -> None:
    [listed] = fold(letter("a"), mark(letter("a"), Disposition.PURGED), letter("a", 1))
    assert [death.disposition for death in listed.history] == [Disposition.PURGED]


def test_a_history_holds_the_latest_deaths_the_oldest_first() -> None:
    deaths = [letter("a", second) for second in range(HISTORY_LENGTH + 5)]
    [listed] = fold(*deaths)
    assert [death.died_at for death in listed.history] == [death.died_at for death in deaths[4:-1]]


def test_an_entry_that_cannot_be_read_changes_nothing() -> None:
    letters = DeadLetterList()
    letters.add(encode_entry(letter("a")))
    for body in (b"?", b"[]", b'{"entry":"letter","uplink_id":"a"}', b'{"entry":"forgotten","uplink_id":"a"}'):
        with pytest.raises((ValueError, TypeError, KeyError)):
            letters.add(body)
    assert list(letters) == [letter("a")]


def test_a_history_is_not_stored_with_its_letter() -> None:
    [listed] = fold(letter("a"), letter("a", 1))
    assert listed.history
    assert decode_entry(encode_entry(listed)) == letter("a", 1)


def test_a_mark_of_an_older_release_names_no_letter() -> None:
    body = b'{"version":1,"entry":"replayed","uplink_id":"a/0","at":"2026-11-22T00:00:00Z"}'
    assert decode_entry(body) == Mark("a/0", Disposition.REPLAYED, MARKED, uplinks=1)
