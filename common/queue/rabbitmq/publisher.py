"""Publishing: every message confirmed, within a deadline, in a queue that exists."""

import asyncio
from collections.abc import Awaitable, Iterable
from itertools import islice

import aio_pika
from aio_pika.exceptions import DeliveryError, PublishError

from common import metrics
from common.queue.protocol import QueueUnavailableError
from common.queue.rabbitmq.link import Link
from common.queue.rabbitmq.messages import count_uplinks
from common.queue.rabbitmq.problems import NoAnswerError, QueueDeletedError, answered_within
from common.queue.rabbitmq.session import Prepare, Session
from common.queue.rabbitmq.timing import Timing

IN_FLIGHT = 256
"""Unconfirmed publishes of one caller: more gains nothing, and each confirm costs more."""

BLOCKED = "RabbitMQ takes no messages: it has raised a memory or disk alarm"


class Publisher:
    """Publishes to queues by name, through the default exchange; ``prepare`` brings back what somebody deleted."""

    def __init__(self, link: Link, prepare: Prepare, timing: Timing) -> None:
        self._link = link
        self._prepare = prepare
        self._timing = timing
        self._missing_since: dict[str, float] = {}
        self._declaring = asyncio.Lock()
        self._is_blocked = False

    @property
    def unavailable(self) -> str | None:
        """Why nothing can be published, as far as is known."""
        return self._link.why_away or (BLOCKED if self._is_blocked else None)

    async def publish(self, message: aio_pika.Message, queue: str) -> None:
        """Return when the broker has confirmed the message; raises as :meth:`common.queue.protocol.Queue.publish`.

        Cancelling it withdraws nothing.
        """
        session = await self._link.session()
        await self._refuse_if_blocked(session)
        await self._declare_if_missing(session, queue)
        try:
            async with answered_within(self._timing.confirm_seconds, f"publishing to {queue}"):
                await self._confirm(session, message, queue)
        except NoAnswerError:
            # A fresh connection would be blocked as well, and the broker notices the loss of a blocked one only when
            # its alarm is over: they would pile up there.
            await self._refuse_if_blocked(session)
            session.drop(f"no confirm within {self._timing.confirm_seconds:g} s")
            raise

    async def publish_all(self, messages: Iterable[aio_pika.Message], queue: str) -> None:
        """Return when all are confirmed; raises as :func:`publish_in_turns`."""
        await publish_in_turns(self.publish(message, queue) for message in messages)

    async def bring_back(self, queue: str) -> None:
        """Declare a queue anew that was found deleted, some time after that was first said.

        Raises :class:`QueueUnavailableError` until then.
        """
        self._missing_since.setdefault(queue, asyncio.get_running_loop().time())
        await self._declare_if_missing(await self._link.session(), queue)

    async def _confirm(self, session: Session, message: aio_pika.Message, queue: str) -> None:
        try:
            await session.channel.default_exchange.publish(message, queue, mandatory=True)
        except PublishError as error:
            self._missing_since[queue] = asyncio.get_running_loop().time()
            raise QueueDeletedError(queue) from error
        except DeliveryError as error:
            raise QueueUnavailableError(f"RabbitMQ refused a message for {queue!r}: is it full?") from error
        except BaseException:
            metrics.UPLINKS_UNCONFIRMED.inc(count_uplinks(message))
            raise

    async def _refuse_if_blocked(self, session: Session) -> None:
        self._is_blocked = await session.blocks_publishers()
        if self._is_blocked:
            raise QueueUnavailableError(BLOCKED)

    async def _declare_if_missing(self, session: Session, queue: str) -> None:
        """Declare anew what was deleted, but not at once.

        On 3.10 a consumer whose queue is back before the broker has cancelled it gets nothing more, and is not told.
        """
        if queue not in self._missing_since:
            return
        if asyncio.get_running_loop().time() - self._missing_since[queue] < self._timing.pause_seconds:
            raise QueueDeletedError(queue)
        async with self._declaring, answered_within(self._timing.answer_seconds, "declaring the queues"):
            if queue in self._missing_since:
                await self._prepare(session.channel)
                self._missing_since.clear()


async def publish_in_turns(publishing: Iterable[Awaitable[None]]) -> None:
    """Wait for publishes, a bounded number at a time; raises the first failure, when none is under way any more."""
    remaining = iter(publishing)
    while turn := list(islice(remaining, IN_FLIGHT)):
        for result in await asyncio.gather(*turn, return_exceptions=True):
            if result is not None:
                raise result
