"""The SQL for dead letters: a log of letters and marks, and the list that it folds into.

The last entry about an uplink says whether it is on the list: a mark is written only while the letter that it names is
the last one. (:class:`common.dead_letter.DeadLetterList` makes the same of entries that come as they may.)
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from common.dead_letter import HISTORY_LENGTH, DeadLetter, Disposition, Mark, decode_entry, encode_entry
from common.queue.sqlite.clock import NEVER_SET
from common.queue.sqlite.limits import MEBIBYTE

LETTER = "letter"

PAGE_ENTRIES = 1_000
"""Entries that are looked at in one transaction; publishes wait meanwhile."""

PAGE_BYTES = MEBIBYTE
"""Letters that are read into memory at a time; one that is larger comes alone."""

PURGED_ENTRIES = 1_000
"""Entries that are purged, or dated anew, in one transaction."""

EARLIER_ENTRIES = 2 * HISTORY_LENGTH
"""Entries about one uplink that make its history: a letter and a mark for each death."""

PAGE_END = """
    SELECT coalesce(
        (SELECT id FROM dead WHERE id > :after AND id <= :last ORDER BY id LIMIT 1 OFFSET :entries - 1), :last
    )
"""

LIST = """
    SELECT id, uplink_id, body FROM dead AS this
    WHERE id > :after AND id <= :until AND entry = :letter AND at >= :oldest
    AND NOT EXISTS (SELECT 1 FROM dead AS later WHERE later.uplink_id = this.uplink_id AND later.id > this.id)
    ORDER BY id
"""

EARLIER = """
    SELECT body FROM (
        SELECT id, body FROM dead WHERE uplink_id = :uplink_id AND id < :id AND at >= :oldest
        ORDER BY id DESC LIMIT :limit
    )
    ORDER BY id
"""

NEWEST = "SELECT entry, body FROM dead WHERE uplink_id = ? ORDER BY id DESC LIMIT 1"


@dataclass(frozen=True, slots=True)
class EncodedEntry:
    """A letter or a mark as it is stored."""

    entry: str
    uplink_id: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """Some letters of the list, each with its place; the next page is what comes after ``end``.

    A letter is all entries about its uplink, encoded: itself at the end, before it what makes its history.
    """

    letters: list[tuple[int, list[bytes]]]
    end: int


class DeadLetterTable:
    """The table, on the connection of its store."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, entries: Iterable[EncodedEntry], now: int) -> None:
        """Append entries."""
        self._connection.executemany(
            "INSERT INTO dead (at, entry, uplink_id, body) VALUES (?, ?, ?, ?)",
            [(now, entry.entry, entry.uplink_id, entry.body) for entry in entries],
        )

    def mark(self, mark: Mark, now: int) -> bool:
        """Take the letter that the mark names off the list; False: it is not there, or there is a later one."""
        newest = self._connection.execute(NEWEST, (mark.uplink_id,)).fetchone()
        if newest is None or newest[0] != LETTER or not _is_named(newest[1], mark):
            return False
        self.add([encode(mark)], now)
        return True

    def mark_all(self, marks: Iterable[Mark], now: int) -> None:
        """Take letters off the list, those that are there."""
        for mark in marks:
            self.mark(mark, now)

    def count_replayed(self, since: int) -> int:
        """Count the uplinks of letters that were replayed from ``since`` on."""
        rows = self._connection.execute(
            "SELECT body FROM dead WHERE at >= ? AND entry = ?", (since, Disposition.REPLAYED.value)
        )
        return sum(mark.uplinks for (body,) in rows if isinstance(mark := decode_entry(body), Mark))

    def last(self) -> int:
        """Give the place of the newest entry; 0 where there is none."""
        (last,) = self._connection.execute("SELECT coalesce(max(id), 0) FROM dead").fetchone()
        return int(last)

    def read_page(self, *, after: int, last: int, oldest: int) -> Page:
        """Read the next letters of the list, up to the entry at ``last``, without those from before ``oldest``."""
        (until,) = self._connection.execute(
            PAGE_END, {"after": after, "last": last, "entries": PAGE_ENTRIES}
        ).fetchone()
        letters: list[tuple[int, list[bytes]]] = []
        size = 0
        for place, uplink_id, body in self._connection.execute(
            LIST, {"after": after, "until": until, "letter": LETTER, "oldest": oldest}
        ):
            entries = [*self._read_earlier(uplink_id, place, oldest), body]
            letters.append((place, entries))
            size += sum(map(len, entries))
            if size >= PAGE_BYTES:
                return Page(letters, end=place)
        return Page(letters, end=until)

    def _read_earlier(self, uplink_id: str, place: int, oldest: int) -> list[bytes]:
        rows = self._connection.execute(
            EARLIER, {"uplink_id": uplink_id, "id": place, "oldest": oldest, "limit": EARLIER_ENTRIES}
        )
        return [body for (body,) in rows]

    def date_anew(self, now: int) -> None:
        """Take some of the entries that a clock dated which was never set for as old as the one that is."""
        if now >= NEVER_SET:
            self._connection.execute(
                "UPDATE dead SET at = ? WHERE id IN (SELECT id FROM dead WHERE at < ? ORDER BY at LIMIT ?)",
                (now, NEVER_SET, PURGED_ENTRIES),
            )

    def purge(self, *, oldest: int) -> None:
        """Remove some of the entries from before ``oldest``, the oldest first."""
        self._connection.execute(
            "DELETE FROM dead WHERE id IN (SELECT id FROM dead WHERE at < ? ORDER BY at LIMIT ?)",
            (oldest, PURGED_ENTRIES),
        )


def encode(entry: DeadLetter | Mark) -> EncodedEntry:
    """Encode an entry for the table."""
    kind = entry.disposition.value if isinstance(entry, Mark) else LETTER
    return EncodedEntry(kind, entry.uplink_id, encode_entry(entry))


def _is_named(body: bytes, mark: Mark) -> bool:
    try:
        entry = decode_entry(body)
    except (ValueError, TypeError, KeyError):  # nobody has seen it on the list either
        return False
    return isinstance(entry, DeadLetter) and mark.died_at in {None, entry.died_at}
