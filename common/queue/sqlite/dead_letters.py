"""The SQL for dead letters: a log of letters and marks, and the list that it folds into.

The last entry about an uplink says whether it is on the list (:func:`common.dead_letter.fold_entries` is the same for
those that are in memory).
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from common.dead_letter import DeadLetter, Mark, encode_entry
from common.queue.sqlite.limits import MEBIBYTE

LETTER = "letter"

PAGE_ENTRIES = 1_000
"""Entries that are looked at in one transaction; publishes wait meanwhile."""

PAGE_BYTES = MEBIBYTE
"""Letters that are read into memory at a time; one that is larger comes alone."""

PURGED_ENTRIES = 1_000
"""Entries that are purged in one transaction."""

PAGE_END = """
    SELECT coalesce(
        (SELECT id FROM dead WHERE id > :after AND id <= :last ORDER BY id LIMIT 1 OFFSET :entries - 1), :last
    )
"""

LIST = """
    SELECT id, body FROM dead AS this
    WHERE id > :after AND id <= :until AND entry = :letter AND at >= :oldest
    AND NOT EXISTS (SELECT 1 FROM dead AS later WHERE later.uplink_id = this.uplink_id AND later.id > this.id)
    ORDER BY id
"""


@dataclass(frozen=True, slots=True)
class EncodedEntry:
    """A letter or a mark as it is stored."""

    entry: str
    uplink_id: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """Some letters of the list, encoded, each with its place; the next page is what comes after ``end``."""

    letters: list[tuple[int, bytes]]
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

    def last(self) -> int:
        """Give the place of the newest entry; 0 where there is none."""
        (last,) = self._connection.execute("SELECT coalesce(max(id), 0) FROM dead").fetchone()
        return int(last)

    def read_page(self, *, after: int, last: int, oldest: int) -> Page:
        """Read the next letters of the list, up to the entry at ``last``, without those from before ``oldest``."""
        (until,) = self._connection.execute(
            PAGE_END, {"after": after, "last": last, "entries": PAGE_ENTRIES}
        ).fetchone()
        letters: list[tuple[int, bytes]] = []
        size = 0
        for place, body in self._connection.execute(
            LIST, {"after": after, "until": until, "letter": LETTER, "oldest": oldest}
        ):
            letters.append((place, body))
            size += len(body)
            if size >= PAGE_BYTES:
                return Page(letters, end=place)
        return Page(letters, end=until)

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
