"""What waits longest in the file, found without taking it."""

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime

from common.envelope import FrameUnreadableError, FrameUnsupportedError, decode_frame, find_waiting_since
from common.queue.sqlite.clock import from_clock

# Both are one step into an index. A probe is nobody's uplink. What is in hand is still here.
HEAD = "SELECT id, body FROM message WHERE due_at = 0 AND uplinks > 0 ORDER BY id LIMIT 1"
LONGEST_DUE = "SELECT min(due_at) FROM message WHERE due_at BETWEEN 1 AND ?"


@dataclass(frozen=True, slots=True)
class Waiting:
    """The first message of the work queue, and since when the one waits that has been due the longest."""

    head: tuple[int, bytes] | None
    due_at: int | None


class WaitingTable:
    """Reads it, in the writer's thread."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def read(self, now: int) -> Waiting:
        """Give what waits at ``now``."""
        head = self._connection.execute(HEAD).fetchone()
        (due_at,) = self._connection.execute(LONGEST_DUE, (now,)).fetchone()
        return Waiting(head, due_at)


class HeadWatch:
    """Remembers since when the head of the queue waits: its arrival, or, where that says nothing, when it was seen."""

    def __init__(self) -> None:
        self._id: int | None = None
        self._since: datetime | None = None

    def note(self, waiting: Waiting) -> datetime | None:
        """Say since when the oldest uplink waits, in the work queue or for somebody to see that it is due."""
        if waiting.head is None:
            self._id = self._since = None
        elif waiting.head[0] != self._id:
            self._id, self._since = waiting.head[0], _read_since(waiting.head[1])
        due_since = None if waiting.due_at is None else from_clock(waiting.due_at)
        return min((since for since in (self._since, due_since) if since is not None), default=None)


def _read_since(body: bytes) -> datetime:
    now = datetime.now(UTC)
    try:
        return find_waiting_since(decode_frame(body), now)
    except (FrameUnreadableError, FrameUnsupportedError):
        return now
