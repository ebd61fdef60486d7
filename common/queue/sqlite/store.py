"""The SQL: what is done to the messages in the file. Every method runs in the writer's thread and in its transaction.

Times are given by the caller (:mod:`common.queue.sqlite.clock`).
"""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from common.queue.limits import DELIVERY_LIMIT
from common.queue.protocol import Depths, Message, QueueUnavailableError
from common.queue.replaying import Replay
from common.queue.sqlite.books import BookTable
from common.queue.sqlite.dead_letters import DeadLetterTable
from common.queue.sqlite.limits import MEBIBYTE, Limits
from common.queue.sqlite.problems import FULL, FileGoneError
from common.queue.sqlite.schema import AT_ONCE, connect
from common.queue.sqlite.settling import EncodedRemainder, NewMessage
from common.queue.sqlite.waiting import WaitingTable

TAKE_BYTES = 8 * MEBIBYTE
"""Bodies that are read in one transaction; publishes wait meanwhile."""

BROUGHT_FORWARD = 1_000
"""Messages whose time is put right in one transaction."""

SPARE_PAGES = 2_048
"""Free pages (4 kB) that the file keeps for the next burst."""

RETURNED_PAGES = 2_048
"""Pages that are given back in one transaction; publishes wait meanwhile."""

# Three reads of the index, each short however many messages there are: the work queue, what has become due, a suspect.
TAKE = """
    WITH
        in_hand AS (SELECT id FROM delivery WHERE holder IS NOT NULL),
        work AS (SELECT id FROM message WHERE due_at = 0 AND id NOT IN in_hand ORDER BY id LIMIT :limit),
        due AS (
            SELECT id FROM message WHERE due_at BETWEEN 1 AND :now AND id NOT IN in_hand ORDER BY due_at LIMIT :limit
        ),
        suspect AS (
            SELECT min(id) AS id FROM message
            WHERE due_at = -1 AND NOT EXISTS (SELECT 1 FROM message WHERE due_at = -1 AND id IN in_hand)
        )
    SELECT message.id, message_id, uplinks, attempt, version, body, coalesce(count, 0) + 1, due_at = -1
    FROM message LEFT JOIN delivery USING (id)
    WHERE message.id IN (SELECT id FROM work UNION ALL SELECT id FROM due UNION ALL SELECT id FROM suspect)
    ORDER BY message.id LIMIT :limit
"""

HOLD = """
    INSERT INTO delivery (id, count, holder) VALUES (?, ?, ?)
    ON CONFLICT DO UPDATE SET count = excluded.count, holder = excluded.holder
"""

# The place of a message in the order of arrival is its id. A suspect stays one; what was for later is due at once.
PUT_BACK = """
    UPDATE message SET
        message_id = :new_id, due_at = min(due_at, 0), uplinks = :uplinks, attempt = :attempt, version = :version,
        body = :body
    WHERE id = :id AND message_id = :message_id
"""

BRING_FORWARD = """
    UPDATE message SET due_at = :latest
    WHERE id IN (SELECT id FROM message WHERE due_at > :latest ORDER BY due_at DESC LIMIT :limit)
"""

COUNT = """
    WITH
        in_hand AS (SELECT id FROM delivery WHERE holder IS NOT NULL AND :is_held),
        poison AS (SELECT id FROM delivery WHERE count > :limit AND id NOT IN in_hand),
        elsewhere AS (SELECT due_at FROM message WHERE id IN (SELECT id FROM in_hand UNION ALL SELECT id FROM poison))
    SELECT
        (SELECT count(*) FROM message WHERE due_at BETWEEN 0 AND :now)
            - (SELECT count(*) FROM elsewhere WHERE due_at BETWEEN 0 AND :now),
        (SELECT count(*) FROM message WHERE due_at > :now) - (SELECT count(*) FROM elsewhere WHERE due_at > :now),
        (SELECT count(*) FROM message WHERE due_at = -1) - (SELECT count(*) FROM elsewhere WHERE due_at = -1),
        (SELECT count(*) FROM poison),
        (SELECT count(*) FROM dead)
"""


@dataclass(frozen=True, slots=True)
class TakenMessage:
    """A message, and which delivery of it this is, from 1."""

    id: int
    message_id: str
    message: Message
    count: int
    suspect: bool


class Store:
    """One connection to the file."""

    def __init__(self, path: Path, limits: Limits, *, existing_only: bool = False) -> None:
        self._path = path
        self._limits = limits
        self._connection = connect(path, busy_seconds=limits.answer_seconds, existing_only=existing_only)
        self._file = _identify(path)
        self._has_room = False
        self.dead_letters = DeadLetterTable(self._connection)
        self.books = BookTable(self._connection)
        self.waiting = WaitingTable(self._connection)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit at the end, durably, or change nothing. Raises :class:`FileGoneError` before anything is done."""
        if _identify(self._path) != self._file:
            raise FileGoneError(self._path)
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._has_room = self._measure_room() >= self._limits.reserve_bytes
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:  # SQLite ends it by itself when the disk is full
                self._connection.execute("ROLLBACK")
            raise

    def add(self, message_id: str, message: Message) -> None:
        """Put a message into the work queue. Raises :class:`QueueUnavailableError` when only the reserve is free."""
        self._refuse_without_room()
        self._insert(NewMessage(message_id, message, AT_ONCE))
        self.books.add(accepted=message.uplinks)

    def replay(self, replays: Iterable[Replay], now: int) -> None:
        """Put letters that are still on the list back into the work queue, and take them off. Raises as :meth:`add`."""
        self._refuse_without_room()
        for replay in replays:
            if self.dead_letters.mark(replay.mark, now):
                self._insert(NewMessage(replay.message_id, replay.message, AT_ONCE))
                self.books.add(replayed=replay.message.uplinks)

    def take(self, holder: int, *, limit: int, now: int) -> list[TakenMessage]:
        """Give ``holder`` the oldest messages that wait and are due, with one suspect in hand at most.

        They are fewer than there are when they are large, but at least one.
        """
        taken: list[TakenMessage] = []
        size = 0
        for row_id, message_id, uplinks, attempt, version, body, count, suspect in self._connection.execute(
            TAKE, {"limit": limit, "now": now}
        ):
            message = Message(body, uplinks, attempt, version)
            taken.append(TakenMessage(row_id, message_id, message, count, bool(suspect)))
            size += len(body)
            if size >= TAKE_BYTES:
                break
        self._connection.executemany(HOLD, [(message.id, message.count, holder) for message in taken])
        return taken

    def settle(self, row_id: int, message_id: str, remainder: EncodedRemainder) -> None:
        """Replace a message by what remains of it; this may use the reserve.

        Does nothing when it is not there: it was settled before, or the file is another by now.
        """
        if remainder.put_back is None:
            is_there = self._remove(row_id, message_id)
        else:
            is_there = self._put_back(row_id, message_id, remainder.put_back)
        if is_there:
            for new in remainder.new:
                self._insert(new)
            self.dead_letters.add(remainder.letters, remainder.now)
            self.books.add(delivered=remainder.delivered, set_aside=remainder.set_aside, died=remainder.died)

    def hand_back(self, holder: int, row_ids: Sequence[int], *, uncounted: bool = False) -> None:
        """Let messages wait again; ``uncounted``: as if they had not been delivered."""
        self._connection.executemany(
            "UPDATE delivery SET holder = NULL, count = count - ? WHERE id = ? AND holder = ?",
            [(int(uncounted), row_id, holder) for row_id in row_ids],
        )

    def take_from_others(self, holder: int) -> None:
        """Let wait again what holders before this one have left unsettled."""
        self._connection.execute("UPDATE delivery SET holder = NULL WHERE holder <> ?", (holder,))

    def next_due(self, now: int) -> int | None:
        """Say when the next message becomes due, of those that are not."""
        (due_at,) = self._connection.execute("SELECT min(due_at) FROM message WHERE due_at > ?", (now,)).fetchone()
        return due_at if due_at is None else int(due_at)

    def bring_forward(self, latest: int) -> None:
        """Let nothing wait longer than until ``latest``: where it would, the clock was set back in the meantime."""
        self._connection.execute(BRING_FORWARD, {"latest": latest, "limit": BROUGHT_FORWARD})

    def count(self, now: int, *, is_held: bool) -> Depths:
        """Count what waits; ``is_held``: whether there is a consumer, else what is in hand waits as well."""
        parameters = {"now": now, "limit": DELIVERY_LIMIT, "is_held": is_held}
        return Depths(*self._connection.execute(COUNT, parameters).fetchone())

    def give_back_space(self) -> bool:
        """Make the file smaller by one step where most of it is free, outside of a transaction; False: it is not."""
        pages, free = self._pragma("page_count"), self._pragma("freelist_count")
        if free <= SPARE_PAGES or free < pages * 3 // 4:
            return False
        # Not execute: it sees rows without columns, takes that for the end, and stops after one page.
        self._connection.executescript(f"PRAGMA incremental_vacuum({min(RETURNED_PAGES, free - SPARE_PAGES)})")
        self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        return self._pragma("freelist_count") < free

    def close(self) -> None:
        """Close the connection; the last one takes the log into the file."""
        self._connection.close()

    def _refuse_without_room(self) -> None:
        if not self._has_room:
            reserve = self._limits.reserve_bytes / MEBIBYTE
            raise QueueUnavailableError(
                f"the queue's file {self._path} takes nothing more: {FULL}; the last {reserve:.0f} MiB are kept for"
                " settling what it holds"
            )

    def _insert(self, new: NewMessage) -> None:
        message = new.message
        self._connection.execute(
            "INSERT INTO message (message_id, due_at, uplinks, attempt, version, body) VALUES (?, ?, ?, ?, ?, ?)",
            (new.message_id, new.due_at, message.uplinks, message.attempt, message.version, message.body),
        )

    def _remove(self, row_id: int, message_id: str) -> bool:
        deleted = self._connection.execute("DELETE FROM message WHERE id = ? AND message_id = ?", (row_id, message_id))
        if deleted.rowcount:
            self._connection.execute("DELETE FROM delivery WHERE id = ?", (row_id,))
        return bool(deleted.rowcount)

    def _put_back(self, row_id: int, message_id: str, new: NewMessage) -> bool:
        message = new.message
        updated = self._connection.execute(
            PUT_BACK,
            {
                "id": row_id,
                "message_id": message_id,
                "new_id": new.message_id,
                "uplinks": message.uplinks,
                "attempt": message.attempt,
                "version": message.version,
                "body": message.body,
            },
        )
        if updated.rowcount:  # nobody has tried it, so it was not delivered
            self._connection.execute("UPDATE delivery SET holder = NULL, count = count - 1 WHERE id = ?", (row_id,))
        return bool(updated.rowcount)

    def _measure_room(self) -> int:
        """Give the bytes that there is room for, on the disk and within the file, as far as anybody needs to know."""
        room = self._measure_disk()
        if room < self._limits.reserve_bytes:
            room += self._pragma("freelist_count") * self._pragma("page_size")
        return room

    def _measure_disk(self) -> int:
        return shutil.disk_usage(self._path.parent).free

    def _pragma(self, name: str) -> int:
        (value,) = self._connection.execute(f"PRAGMA {name}").fetchone()
        return int(value)


def _identify(path: Path) -> tuple[int, int] | None:
    """Tell one file from another at the same path; None where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
