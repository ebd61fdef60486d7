"""Reading the stream of dead letters: all of it, from the first entry to the last, without taking anything."""

import asyncio

import structlog
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from aio_pika.exceptions import ChannelPreconditionFailed
from aiormq.exceptions import ConnectionInternalError

from common.dead_letter import DeadLetterList
from common.queue.rabbitmq.declaring import count_messages
from common.queue.rabbitmq.problems import StreamNotReadyError, answered_within
from common.queue.rabbitmq.timing import Timing

PREFETCH = 1_000
"""Entries that the broker sends ahead, some megabytes: it is asked how things stand once for each of these."""

log = structlog.get_logger()


class StreamReader:
    """Reads one stream once.

    Where a stream ends is not told: the broker's count of it is some seconds old, on 3.10 as on 4.0. But an
    acknowledgement makes the broker send whatever there is beyond what it has sent already, before it does anything
    else on that channel. So when everything is acknowledged, and the answer to a further request comes with nothing new
    before it, that was the end.
    """

    def __init__(self, channel: AbstractChannel, stream: str, timing: Timing) -> None:
        self._channel = channel
        self._stream = stream
        self._timing = timing
        self._letters = DeadLetterList()
        self._received = 0
        self._last: AbstractIncomingMessage | None = None
        self._has_begun = asyncio.Event()

    async def read(self) -> DeadLetterList:
        """Give what every entry in its order makes.

        Raises :class:`NoAnswerError` when the broker stops answering, and :class:`StreamNotReadyError`.
        """
        async with answered_within(self._timing.answer_seconds, "reading the dead letters"):
            await self._subscribe()
        acknowledged = -1
        while self._last is not None and acknowledged < self._received:
            acknowledged = self._received
            async with answered_within(self._timing.answer_seconds, "reading the dead letters"):
                await self._last.ack(multiple=True)
                await count_messages(self._channel, self._stream)
        return self._letters

    async def _subscribe(self) -> None:
        seems_empty = await count_messages(self._channel, self._stream) == 0
        await self._channel.set_qos(prefetch_count=PREFETCH)
        stream = await self._channel.get_queue(self._stream, ensure=False)
        try:
            await stream.consume(self._receive, arguments={"x-stream-offset": "first"})
        except (ChannelPreconditionFailed, ConnectionInternalError) as error:  # the latter on 4.0, the very first time
            raise StreamNotReadyError(f"the dead letters cannot be read: {error}") from error
        try:
            async with asyncio.timeout(self._timing.quiet_seconds if seems_empty else None):
                await self._has_begun.wait()
        except TimeoutError:
            pass

    async def _receive(self, incoming: AbstractIncomingMessage) -> None:
        self._received += 1
        self._last = incoming
        self._has_begun.set()
        try:
            self._letters.add(incoming.body)
        except (ValueError, TypeError, KeyError) as error:  # it must not hide the others
            offset = incoming.headers.get("x-stream-offset")
            log.error("dead_letter.unreadable", stream=self._stream, offset=offset, error=repr(error))  # noqa: TRY400 -- it says it all
