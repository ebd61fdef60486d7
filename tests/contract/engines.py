"""What a queue engine has to offer for the contract suite to test it."""

import sqlite3
import uuid
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import aio_pika
import orjson

from common.ladder import Ladder
from common.queue import open_queue
from common.queue.protocol import Queue
from common.queue.rabbitmq.topology import Topology
from common.queue.sqlite.clock import read_clock

SHORT, LONG = timedelta(seconds=1), timedelta(hours=1)
LADDER = Ladder((SHORT, LONG))
DEAD_LETTER_AGE = timedelta(days=1)


class Engine(Protocol):
    """One place where a queue is kept, empty at the beginning of a test."""

    def open(self, *, existing_only: bool = False) -> AbstractAsyncContextManager[Queue]:
        """Open the queue once more, as another process would."""

    async def exists(self) -> bool:
        """Whether there is anything at the queue's place."""

    async def bury_bytes(self, body: bytes) -> None:
        """Put an entry among the dead letters as it is."""

    async def lose_work_queue(self) -> None:
        """Delete what publishes go to, behind the back of whoever has the queue open."""


class RabbitEngine:
    """Queues of one prefix on a broker."""

    def __init__(self, url: str, prefix: str) -> None:
        self._url = url
        self._prefix = prefix
        self._topology = Topology(prefix, LADDER.steps, DEAD_LETTER_AGE)

    def open(self, *, existing_only: bool = False) -> AbstractAsyncContextManager[Queue]:
        return open_queue(
            self._url,
            prefix=self._prefix,
            ladder=LADDER,
            dead_letter_age=DEAD_LETTER_AGE,
            name=self._prefix,
            existing_only=existing_only,
        )

    async def exists(self) -> bool:
        return any([await self._has(queue.name) for queue in self._topology.queues])

    async def bury_bytes(self, body: bytes) -> None:
        async with self._channel() as channel:
            await channel.default_exchange.publish(aio_pika.Message(body), self._topology.dead)

    async def lose_work_queue(self) -> None:
        async with self._channel() as channel:
            await channel.queue_delete(self._topology.work)

    async def clean(self) -> None:
        async with self._channel() as channel:
            for queue in self._topology.queues:
                await channel.queue_delete(queue.name)

    async def _has(self, queue: str) -> bool:
        async with await aio_pika.connect(self._url) as connection:
            try:
                await (await connection.channel()).declare_queue(queue, passive=True)
            except aio_pika.exceptions.ChannelNotFoundEntity:
                return False
            return True

    @asynccontextmanager
    async def _channel(self) -> AsyncIterator[aio_pika.abc.AbstractChannel]:
        async with await aio_pika.connect(self._url) as connection, connection.channel() as channel:
            yield channel


class SqliteEngine:
    """A file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def open(self, *, existing_only: bool = False) -> AbstractAsyncContextManager[Queue]:
        return open_queue(
            f"sqlite:{self._path}",
            prefix="test",
            ladder=LADDER,
            dead_letter_age=DEAD_LETTER_AGE,
            name="test",
            existing_only=existing_only,
        )

    async def exists(self) -> bool:
        return any(self._path.parent.iterdir())

    async def bury_bytes(self, body: bytes) -> None:
        with closing(sqlite3.connect(self._path)) as connection, connection:
            connection.execute(
                "INSERT INTO dead (at, entry, uplink_id, body) VALUES (?, ?, ?, ?)",
                (read_clock(), *_describe_entry(body), body),
            )

    async def lose_work_queue(self) -> None:
        for file in (self._path, self._path.with_name("queue.db-wal"), self._path.with_name("queue.db-shm")):
            file.unlink()


def _describe_entry(body: bytes) -> tuple[str, str]:
    """Give what is stored beside an entry: its kind and its uplink; of one that cannot be read, something."""
    try:
        document = orjson.loads(body)
        return document["entry"], document["uplink_id"]
    except (ValueError, TypeError, KeyError):
        return "letter", uuid.uuid4().hex
