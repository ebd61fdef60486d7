"""The SQL for the books: one row of counters, changed in the transactions of what they count.

What is in the queue is counted from the messages themselves, so that the books can also be found not to balance.
"""

import sqlite3

from common.queue.protocol import Books

ADD = """
    UPDATE books SET
        accepted = accepted + :accepted,
        replayed = replayed + :replayed,
        delivered = delivered + :delivered,
        set_aside = set_aside + :set_aside,
        died = died + :died
"""

READ = """
    SELECT accepted, replayed, delivered, set_aside, died, (SELECT coalesce(sum(uplinks), 0) FROM message) FROM books
"""


class BookTable:
    """The table, on the connection of its store."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(
        self, *, accepted: int = 0, replayed: int = 0, delivered: int = 0, set_aside: int = 0, died: int = 0
    ) -> None:
        """Count uplinks."""
        if accepted or replayed or delivered or set_aside or died:
            self._connection.execute(
                ADD,
                {
                    "accepted": accepted,
                    "replayed": replayed,
                    "delivered": delivered,
                    "set_aside": set_aside,
                    "died": died,
                },
            )

    def read(self) -> Books:
        """Give the books as of this transaction."""
        return Books(*self._connection.execute(READ).fetchone())
