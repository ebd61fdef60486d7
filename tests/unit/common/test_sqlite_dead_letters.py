"""The log of dead letters: read page by page, and purged by age."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from common.queue.sqlite import dead_letters
from common.queue.sqlite.dead_letters import DeadLetterTable, EncodedEntry
from common.queue.sqlite.limits import Limits
from common.queue.sqlite.store import Store

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
    assert [body for _, body in table.read_page(after=0, last=last, oldest=0).letters] == [b"b"]
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


def letter(uplink_id: str, *, body: bytes | None = None) -> EncodedEntry:
    return EncodedEntry("letter", uplink_id, uplink_id.encode() if body is None else body)


def mark(uplink_id: str) -> EncodedEntry:
    return EncodedEntry("purged", uplink_id, b"mark")


def read_pages(table: DeadLetterTable, *, oldest: int = 0) -> list[list[bytes]]:
    pages = []
    after, last = 0, table.last()
    while after < last:
        page = table.read_page(after=after, last=last, oldest=oldest)
        pages.append([body for _, body in page.letters])
        after = page.end
    return pages


def read(table: DeadLetterTable, *, oldest: int = 0) -> list[bytes]:
    return [body for page in read_pages(table, oldest=oldest) for body in page]
