"""Bodies that arrive piece by piece; the routes' tests have the rest."""

import asyncio
import gzip

import pytest
from starlette.types import Message

from common.reason import Reason
from ingest import body as module
from ingest.body import Reading, read_body
from ingest.refusal import RefusedError

PIECE = b"x" * 40


class Sender:
    """Sends a body piece by piece, the last one when it is let."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = list(pieces)
        self.may_end = asyncio.Event()

    async def receive(self) -> Message:
        piece = self._pieces.pop(0)
        if not self._pieces:
            await self.may_end.wait()
        return {"type": "http.request", "body": piece, "more_body": bool(self._pieces)}


async def read(sender: Sender, reading: Reading, coding: str = "") -> bytes:
    return await read_body(sender.receive, reading, coding=coding, limit=100, seconds=5)


async def test_all_bodies_that_are_still_arriving_may_be_so_large_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READING_BYTES", 100)
    reading, slow = Reading(), [Sender(PIECE, b"") for _ in range(3)]
    first, second = (asyncio.create_task(read(sender, reading)) for sender in slow[:2])
    await asyncio.sleep(0)
    with pytest.raises(RefusedError, match="too many requests are arriving at once") as refused:
        await read(slow[2], reading)
    assert (refused.value.reason, refused.value.headers) == (Reason.QUEUE_UNAVAILABLE, {"Retry-After": "2"})
    later = Sender(PIECE, PIECE)
    for sender in (*slow, later):
        sender.may_end.set()
    assert [await first, await second] == [PIECE, PIECE]
    assert await read(later, reading) == 2 * PIECE


async def test_of_a_compressed_body_what_it_unfolds_to_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READING_BYTES", 50)
    sender = Sender(gzip.compress(b"x" * 80), b"")
    with pytest.raises(RefusedError, match="too many requests are arriving at once"):
        await read(sender, Reading(), coding="gzip")
