"""Senders that are slow, large or many, at a real ingest. Imports nothing of Sluice."""

import asyncio
import gzip
import json

import httpx
import pytest

from tests.support.fuzzing import read_memory
from tests.support.processes import Process
from tests.support.system import AUTHORIZATION, System
from tests.support.waiting import eventually

HEAD = (
    f"POST /uplink HTTP/1.1\r\nHost: a\r\nAuthorization: {AUTHORIZATION}\r\nContent-Type: application/json\r\n".encode()
)
BODY = b'{"serial": "A"}'
REQUEST = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY

PATIENCE_SECONDS = 25.0
"""Above every time-out of the ingest."""


@pytest.fixture
def system(system_on_sqlite: System) -> System:
    """What is tested here is the same on every queue."""
    return system_on_sqlite


class Connection:
    """A connection to a process, on which a test says what is sent and when."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, process: Process) -> "Connection":
        return cls(*await asyncio.open_connection("127.0.0.1", int(process.url.rpartition(":")[2])))

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def read_until_closed(self) -> bytes:
        try:
            return await asyncio.wait_for(self._reader.read(), PATIENCE_SECONDS)
        finally:
            self._writer.transport.abort()

    def close(self) -> None:
        self._writer.transport.abort()


async def exchange(process: Process, data: bytes) -> bytes:
    """Send, and give everything that comes until the ingest closes the connection."""
    connection = await Connection.open(process)
    connection.send(data)
    return await connection.read_until_closed()


def reason_of(answer: bytes) -> str:
    return str(json.loads(answer.rpartition(b"\r\n\r\n")[2])["reason"])


async def drip(connection: Connection, data: bytes) -> None:
    """Send byte by byte, so slowly that it never ends."""
    for position in range(len(data)):
        connection.send(data[position : position + 1])
        await asyncio.sleep(1)


async def test_a_sender_that_is_too_slow_is_answered_408_and_disturbs_nobody(system: System) -> None:
    ingest = system.start_ingest(SLUICE_REQUEST_TIMEOUT="2")
    connections = [await Connection.open(ingest) for _ in range(4)]
    slow_head, slow_body, half_a_body, _ = connections  # on the last one nothing comes at all
    slow_body.send(HEAD + b"Content-Length: 100\r\n\r\n")
    half_a_body.send(REQUEST[:-5])
    dripping = [asyncio.create_task(drip(slow_head, REQUEST)), asyncio.create_task(drip(slow_body, b" " * 100))]
    assert httpx.post(f"{ingest.url}/uplink", content=BODY, headers=headers()).status_code == 202
    answers = await asyncio.gather(*(connection.read_until_closed() for connection in connections))
    for task in dripping:
        task.cancel()
    assert [answer[:12] for answer in answers] == [b"HTTP/1.1 408"] * 4
    assert {reason_of(answer) for answer in answers} == {"request_timeout"}


def headers(**more: str) -> dict[str, str]:
    return {"Authorization": AUTHORIZATION, "Content-Type": "application/json", **more}


def test_a_gzip_bomb_is_refused_before_it_unfolds(system: System) -> None:
    ingest = system.start_ingest()
    bomb = gzip.compress(b"[" + b" " * 300_000_000 + b"]")
    before = read_memory(ingest)
    for _ in range(10):
        answer = httpx.post(f"{ingest.url}/uplink", content=bomb, headers=headers(**{"Content-Encoding": "gzip"}))
        assert (answer.status_code, answer.json()["reason"]) == (413, "body_too_large")
    assert read_memory(ingest) - before < 20


async def test_a_flood_of_headers_is_refused_while_it_comes(system: System) -> None:
    ingest = system.start_ingest()
    for flood in (b"X: " + b"x" * 100_000, b"".join(b"X-%d: y\r\n" % number for number in range(20_000))):
        answer = await exchange(ingest, HEAD + flood)
        assert answer.startswith(b"HTTP/1.1 431")
        assert reason_of(answer) == "body_too_large"


async def test_requests_sent_ahead_of_their_answers_are_answered_in_order_and_bounded(system: System) -> None:
    ingest = system.start_ingest()
    last = REQUEST.replace(b"Host: a", b"Host: a\r\nConnection: close")
    answer = await exchange(ingest, REQUEST + REQUEST.replace(b'"serial"', b'"devadr"') + last)
    assert [part[:3] for part in answer.split(b"HTTP/1.1 ")[1:]] == [b"202", b"400", b"202"]
    flood = await exchange(ingest, REQUEST * 5_000)
    assert 1 <= flood.count(b"HTTP/1.1 202") < 1_000


async def test_idle_connections_are_bounded_and_the_ingest_serves_on_when_they_end(system: System) -> None:
    ingest = system.start_ingest(SLUICE_CONNECTIONS_LIMIT="100")
    before = read_memory(ingest)
    idle = [await Connection.open(ingest) for _ in range(100)]
    refused = await exchange(ingest, b"")
    assert refused.startswith(b"HTTP/1.1 503")
    assert b"retry-after: " in refused
    assert reason_of(refused) == "queue_unavailable"
    assert read_memory(ingest) - before < 20
    for connection in idle:
        connection.close()
    await eventually(lambda: httpx.get(f"{ingest.url}/healthz").status_code == 200)
