"""Storing what is posted: the posts that wait together share one transaction, and no uplink is stored twice.

A transaction of its own for each post would cost three quarters of the throughput. While one is being committed, what
is posted meanwhile waits, and is stored in the next.

**Once each.** An uplink's id and its records are committed together, per device. A post whose ids are all known was
stored before, and its sender missed the answer: it succeeds and stores nothing. Where some of its ids are known and
some are not, nothing is stored either, and the answer is 409. A record tells its group but not its uplink, so which of
the records are new cannot be known: storing all would double the known uplinks, storing none would lose the others. The
sender divides the post, as it does with any that is refused, and a post of one uplink is either known or new.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any, TypeAlias

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from common import metrics
from registry.database import Database, is_passing
from registry.ids import create_ids
from registry.records import ValidRecord
from registry.refusal import RefusedError, conflict, denied, unavailable
from registry.row_insert import RowInsert
from registry.schema import RECORDS, STORED_UPLINKS

MOST_ROWS = 500
"""Of one transaction, which takes some 30 ms then: nobody waits much longer, and nothing is gained beyond."""

MOST_WAITING_ROWS = 20_000
"""Beyond this, posts are answered 503: more than a second of work waits."""

REMEMBERED = timedelta(days=7)
"""How long an uplink's id is known. Senders give up after about a day; a dead letter is replayed within the week."""

FORGETTING_SLICE = timedelta(minutes=1)
"""How much is forgotten in one transaction, so that no post waits for it."""


@dataclass(frozen=True, slots=True)
class DevicePost:
    """The records of one ``POST /data``, and the uplinks that they come from where the sender names them."""

    device_id: str
    records: Sequence[ValidRecord]
    uplink_ids: Sequence[str] = ()

    @property
    def rows(self) -> int:
        """Rows that this post writes."""
        return len(self.records) + len(self.uplink_ids)


_Outcome: TypeAlias = int | Exception
"""Of a post: how many records were stored, or why none was."""


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    """A post on its way into the database."""

    post: DevicePost
    stored: asyncio.Future[int]


class DataWriter:
    """Stores posts. Whoever closes the database waits for :meth:`finish` first."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: deque[_Waiting] = deque()
        self._waiting_rows = 0
        self._uplinks = RowInsert(STORED_UPLINKS)
        self._records = RowInsert(RECORDS)
        metrics.STORE_WAITING.set_function(lambda: self._waiting_rows)
        self._storing: asyncio.Task[None] | None = None

    def store(self, post: DevicePost) -> asyncio.Future[int]:
        """Give what is done when the post is durably stored: the number of records, 0 when it had been stored before.

        It raises :class:`registry.refusal.RefusedError`: 409 when only some of its uplinks are known, 401 when its
        device is gone, 503 when the database cannot take it now.
        """
        waiting = _Waiting(post, asyncio.get_running_loop().create_future())
        if self._waiting_rows and self._waiting_rows + post.rows > MOST_WAITING_ROWS:
            waiting.stored.set_exception(unavailable("Too many posts wait to be stored"))
            return waiting.stored
        self._waiting.append(waiting)
        self._waiting_rows += post.rows
        if self._storing is None:
            self._storing = asyncio.create_task(self._store_waiting())
        return waiting.stored

    async def finish(self) -> None:
        """Wait until nothing waits any more."""
        if self._storing is not None:
            await self._storing

    async def forget_uplinks(self, now: datetime) -> None:
        """Forget the uplinks that were stored longer ago than they are remembered."""
        until = now - REMEMBERED
        while True:
            async with self._database.writing() as connection:
                oldest = (await connection.execute(select(func.min(STORED_UPLINKS.c.stored_at)))).scalar_one()
                if oldest is None or oldest > until:
                    return
                end = min(oldest + FORGETTING_SLICE, until)
                await connection.execute(delete(STORED_UPLINKS).where(STORED_UPLINKS.c.stored_at <= end))

    async def _store_waiting(self) -> None:
        try:
            while self._waiting:
                await self._store_together(self._take_together())
        finally:
            self._storing = None

    def _take_together(self) -> list[_Waiting]:
        """Take what waits, in order, up to the bound; never nothing."""
        together = [self._waiting.popleft()]
        rows = together[0].post.rows
        while self._waiting and rows + self._waiting[0].post.rows <= MOST_ROWS:
            together.append(self._waiting.popleft())
            rows += together[-1].post.rows
        self._waiting_rows -= rows
        return together

    async def _store_together(self, together: Sequence[_Waiting]) -> None:
        outcomes: Sequence[_Outcome]
        try:
            with metrics.STORE_SECONDS.time():
                outcomes = await self._commit([waiting.post for waiting in together])
        except Exception as error:  # noqa: BLE001 - it reaches whoever posted, whose answer and log it becomes
            if is_passing(error):  # the disk is full, another process holds the lock, the server is away
                outcomes = [unavailable("The registry cannot store records at the moment")] * len(together)
            elif len(together) > 1:  # one of the posts is at fault: alone, each finds out whether it is
                for waiting in together:
                    await self._store_together([waiting])
                return
            else:
                outcomes = [await self._store_again(together[0].post, error)]
        for waiting, outcome in zip(together, outcomes, strict=True):
            _answer(waiting, outcome)

    async def _store_again(self, post: DevicePost, error: Exception) -> _Outcome:
        """Find out what a post came to that broke a constraint while it was alone.

        Another registry on the same database may have stored its uplinks between the look and the write; then they are
        known now. Otherwise its device is gone since its token was looked up: a record refers to nothing else.
        """
        if not isinstance(error, IntegrityError):
            return error
        try:
            return (await self._commit([post]))[0]
        except IntegrityError:
            return denied()
        except Exception as another:  # noqa: BLE001 - as above
            return unavailable("The registry cannot store records at the moment") if is_passing(another) else another

    async def _commit(self, posts: Sequence[DevicePost]) -> list[_Outcome]:
        async with self._database.writing() as connection:
            known = await _find_known(connection, posts)
            outcomes: list[_Outcome] = []
            fresh: list[DevicePost] = []
            repeated = 0
            for post in posts:
                seen = [uplink_id for uplink_id in post.uplink_ids if (uplink_id, post.device_id) in known]
                if not seen:
                    known.update((uplink_id, post.device_id) for uplink_id in post.uplink_ids)
                    fresh.append(post)
                    outcomes.append(len(post.records))
                elif len(seen) == len(post.uplink_ids):
                    repeated += len(seen)
                    outcomes.append(0)
                else:
                    outcomes.append(_refuse_partly_known(seen, post))
            await self._uplinks.execute(connection, _write_uplinks(fresh))
            await self._records.execute(connection, _write_records(fresh))
        metrics.RECORDS_STORED.inc(sum(len(post.records) for post in fresh))
        metrics.UPLINKS_REPEATED.inc(repeated)
        return outcomes


def _answer(waiting: _Waiting, outcome: _Outcome) -> None:
    if waiting.stored.done():  # whoever posted it is gone
        return
    if isinstance(outcome, int):
        waiting.stored.set_result(outcome)
    else:
        waiting.stored.set_exception(outcome)


async def _find_known(connection: AsyncConnection, posts: Iterable[DevicePost]) -> set[tuple[str, str]]:
    """Give the ids of these posts that are stored already, each with its device."""
    uplink_ids = [uplink_id for post in posts for uplink_id in post.uplink_ids]
    if not uplink_ids:
        return set()
    query = select(STORED_UPLINKS.c.uplink_id, STORED_UPLINKS.c.device_id)
    rows = await connection.execute(query.where(STORED_UPLINKS.c.uplink_id.in_(uplink_ids)))
    return {(row.uplink_id, row.device_id) for row in rows}


def _write_uplinks(posts: Iterable[DevicePost]) -> list[dict[str, Any]]:
    """Give the rows of what these posts name, in one order, so that two registries do not wait for each other."""
    now = datetime.now(UTC)
    uplinks = [
        {"uplink_id": uplink_id, "device_id": post.device_id, "stored_at": now}
        for post in posts
        for uplink_id in post.uplink_ids
    ]
    return sorted(uplinks, key=itemgetter("uplink_id", "device_id"))


def _write_records(posts: Iterable[DevicePost]) -> list[dict[str, Any]]:
    """Give the rows of what these posts hold."""
    return [
        {
            "device_id": post.device_id,
            "id": record_id,
            "variable": record.variable,
            "value": record.value,
            "unit": record.unit,
            "group": record.group,
            "time": record.time,
            "location": record.location,
            "metadata": record.metadata,
        }
        for post in posts
        for record_id, record in zip(create_ids(len(post.records)), post.records, strict=True)
    ]


def _refuse_partly_known(seen: Sequence[str], post: DevicePost) -> RefusedError:
    return conflict(
        f"{len(seen)} of the {len(post.uplink_ids)} uplinks of this post are stored already, and records do not tell "
        f"which they belong to; send these apart from the others: {', '.join(seen)}"
    )
