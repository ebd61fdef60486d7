"""Gathering: what waits at the same moment travels together."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Gatherer(Generic[T]):
    """Has what waits sent together, ``in_flight`` times side by side; what comes meanwhile waits for the next.

    ``take`` takes from the front of what waits, at least one, what is to travel together; ``send`` must not raise. With
    thin traffic nothing is in flight, and what is added leaves at the end of this turn of the loop.
    """

    def __init__(
        self,
        take: Callable[[deque[T]], list[T]],
        send: Callable[[list[T]], Coroutine[Any, Any, None]],
        *,
        in_flight: int,
    ) -> None:
        self._take = take
        self._send = send
        self._in_flight = in_flight
        self._sending: set[asyncio.Task[None]] = set()
        self._is_due = False
        self.waiting: deque[T] = deque()
        """What nobody has taken yet; whoever gives some of it up may remove it."""

    def add(self, item: T) -> None:
        """Let this wait, behind what waits already."""
        self.waiting.append(item)
        if not self._is_due and len(self._sending) < self._in_flight:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._is_due = False
        while self.waiting and len(self._sending) < self._in_flight:
            sending = asyncio.create_task(self._send(self._take(self.waiting)))
            self._sending.add(sending)
            sending.add_done_callback(self._finish)

    def _finish(self, sending: asyncio.Task[None]) -> None:
        self._sending.discard(sending)
        self._flush()
