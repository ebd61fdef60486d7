"""The log of dead letters: read page by page, and purged by age."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from common.dead_letter import DeadLetter, Disposition, Mark
from common.queue.sqlite import dead_letters
from common.queue.sqlite.dead_letters import DeadLetterTable, EncodedEntry, encode
from common.queue.sqlite.limits import Limits
from common.queue.sqlite.store import Store
from common.reason import Reason

NOON = 1_795_262_400_000
DAY = 86_400_000


@pytest.fixture
def table(tmp_path: Path) -> Iterator[DeadLetterTable]:
    store = Store(tmp_path / "queue.db", Limits())
    yield store.dead_letters
    store.close()


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letters, "PAGE_ENTRIES", 3)
    monkeypatch.setattr(dead_letters, "PAGE_BYTES", 1_000)


def test_the_list_is_read_page_by_page_in_order(table: DeadLetterTable) -> None:
    table.add([letter(f"{number}") for number in range(8)], NOON)
    pages = read_pages(table)
    assert [len(page) for page in pages] == [3, 3, 2]
    assert [body for page in pages for body in page] == [b"%d" % number for number in range(8)]


def test_a_page_holds_only_so_many_bytes_but_one_letter_at_least(table: DeadLetterTable) -> None:
    table.add([letter(f"{number}", body=b"x" * 2_000) for number in range(3)], NOON)
    assert [len(page) for page in read_pages(table)] == [1, 1, 1]


def test_marks_and_what_they_took_off_the_list_are_skipped_on_every_page(table: DeadLetterTable) -> None:
    for number in range(5):
        table.add([letter(f"{number}"), mark(f"{number}"), letter(f"kept {number}")], NOON)
    assert read(table) == [b"kept %d" % number for number in range(5)]


def test_entries_that_are_gone_do_not_make_for_empty_pages(table: DeadLetterTable) -> None:
    table.add([letter(f"{number}") for number in range(100)], NOON - 2 * DAY)
    table.add([letter("last")], NOON)
    table.purge(oldest=NOON - DAY)
    assert read_pages(table) == [[b"last"]]


def test_what_dies_while_the_list_is_read_is_left_to_the_next_listing(table: DeadLetterTable) -> None:
    """Else replaying what dies again at once would have no end."""
    table.add([letter("a"), letter("b")], NOON)
    last = table.last()
    table.add([letter("a", body=b"again")], NOON)
    assert [entries for _, entries in table.read_page(after=0, last=last, oldest=0).letters] == [[b"b"]]
    assert read(table) == [b"b", b"again"]


def test_old_letters_are_not_listed_and_purging_removes_them(table: DeadLetterTable) -> None:
    table.add([letter("old"), mark("marked")], NOON - 2 * DAY)
    table.add([letter("new")], NOON)
    assert read(table, oldest=NOON - DAY) == [b"new"]
    assert read(table) == [b"old", b"new"]
    table.purge(oldest=NOON - DAY)
    assert read(table) == [b"new"]


def test_purging_removes_a_bounded_number_at_a_time_the_oldest_first(
    table: DeadLetterTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letters, "PURGED_ENTRIES", 2)
    for number in range(5):
        table.add([letter(f"{number}")], NOON + number)
    table.purge(oldest=NOON + DAY)
    assert read(table) == [b"2", b"3", b"4"]


def test_what_a_clock_dated_that_was_never_set_is_dated_anew_when_it_is(table: DeadLetterTable) -> None:
    """Else a box without a battery would purge at noon what died as it booted, in 1970."""
    table.add([letter("a")], 3 * DAY)
    table.date_anew(3 * DAY)
    assert read(table, oldest=NOON - DAY) == []
    table.date_anew(NOON)
    table.purge(oldest=NOON - DAY)
    assert read(table, oldest=NOON - DAY) == [b"a"]


def test_a_letter_comes_with_what_happened_to_its_uplink_before(table: DeadLetterTable) -> None:
    table.add([letter("a", body=b"1"), letter("b"), mark("a"), letter("a", body=b"2")], NOON)
    page = table.read_page(after=3, last=table.last(), oldest=0)
    assert [entries for _, entries in page.letters] == [[b"1", b"mark", b"2"]]


def test_what_is_too_old_is_no_history_either(table: DeadLetterTable) -> None:
    table.add([letter("a", body=b"1")], NOON - 2 * DAY)
    table.add([letter("a", body=b"2")], NOON)
    page = table.read_page(after=0, last=table.last(), oldest=NOON - DAY)
    assert [entries for _, entries in page.letters] == [[b"2"]]


def test_a_mark_is_written_only_about_the_letter_that_is_on_the_list(table: DeadLetterTable) -> None:
    first, second = real_letter(0), real_letter(1)
    table.add([encode(first), encode(second)], NOON)
    assert not table.mark(mark_of(first), NOON)
    assert table.mark(mark_of(second), NOON)
    assert not table.mark(mark_of(second), NOON)  # somebody else was there before
    assert read(table) == []


def test_what_cannot_be_read_is_not_marked(table: DeadLetterTable) -> None:
    table.add([letter("a/0", body=b"?")], NOON)
    assert not table.mark(mark_of(real_letter(0)), NOON)


def real_letter(second: int) -> DeadLetter:
    died_at = datetime(2026, 11, 21, 12, 0, second, tzinfo=UTC)
    return DeadLetter("a/0", Reason.INTERNAL_ERROR, "", 1, died_at, died_at, frame=b"?")


def mark_of(marked: DeadLetter) -> Mark:
    return Mark(marked.uplink_id, Disposition.REPLAYED, marked.died_at, marked.died_at)


def letter(uplink_id: str, *, body: bytes | None = None) -> EncodedEntry:
    return EncodedEntry("letter", uplink_id, uplink_id.encode() if body is None else body)


def mark(uplink_id: str) -> EncodedEntry:
    return EncodedEntry("purged", uplink_id, b"mark")


def read_pages(table: DeadLetterTable, *, oldest: int = 0) -> list[list[bytes]]:
    pages = []
    after, last = 0, table.last()
    while after < last:
        page = table.read_page(after=after, last=last, oldest=oldest)
        pages.append([entries[-1] for _, entries in page.letters])
        after = page.end
    return pages


def read(table: DeadLetterTable, *, oldest: int = 0) -> list[bytes]:
    return [body for page in read_pages(table, oldest=oldest) for body in page]
