"""One hand-over of one message, and its one final answer."""

from collections.abc import Callable
from dataclasses import dataclass, field

from aio_pika.abc import AbstractIncomingMessage

from common.queue.protocol import Message, MessageTooLargeError, QueueUnavailableError, Remainder
from common.queue.rabbitmq.messages import count_deliveries, decode_message, read_message_id
from common.queue.rabbitmq.problems import translated
from common.queue.rabbitmq.session import Session
from common.queue.rabbitmq.settling import Settler


@dataclass(frozen=True, slots=True)
class Source:
    """A queue that deliveries come from, and what that says about them."""

    queue: str
    prefetch: int
    suspect: bool = False
    poisoned: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class RabbitDelivery:
    """A delivery; it can be settled on the session that brought it, and on no other.

    ``_let_go`` is told when it is in hand no more, whatever became of it.
    """

    message: Message
    message_id: str
    count: int
    _source: Source = field(repr=False)
    _incoming: AbstractIncomingMessage = field(repr=False)
    _session: Session = field(repr=False)
    _settler: Settler = field(repr=False)
    _let_go: Callable[["RabbitDelivery"], None] = field(repr=False)

    @property
    def suspect(self) -> bool:
        """See :class:`common.queue.protocol.Delivery`."""
        return self._source.suspect

    @property
    def poisoned(self) -> bool:
        """See the protocol."""
        return self._source.poisoned

    @property
    def is_lost(self) -> bool:
        """Whether the session is gone: the message is in the queue again, and may be with somebody else already."""
        return self._session.why_lost is not None

    async def settle(self, remainder: Remainder) -> None:
        """See the protocol. Everything is published and confirmed first, and the delivery acknowledged then."""
        self._refuse_if_lost()
        parts = self._settler.address(remainder)
        try:
            await self._settler.make_durable(parts, lambda: self.is_lost)
        except QueueUnavailableError:
            self._refuse_if_lost()  # says more than the last try did
            raise
        await self._ack()

    async def hand_back(self) -> None:
        """See the protocol. A reject: every version counts it as a delivery."""
        self._refuse_if_lost()
        with translated("handing a delivery back"):
            await self._incoming.reject(requeue=True)
        self._let_go(self)

    async def return_unopened(self) -> None:
        """Put what nobody has looked at behind what waits: a return counts as a delivery up to 4.2, a copy does not.

        Where no copy is taken it is returned all the same. Raises as :meth:`hand_back`.
        """
        self._refuse_if_lost()
        try:
            await self._settler.publish_copy(
                self.message, self._source.queue, message_id=self.message_id, count=self.count
            )
        except (QueueUnavailableError, MessageTooLargeError):
            self._refuse_if_lost()
            with translated("returning a delivery"):
                await self._incoming.nack(requeue=True)
            self._let_go(self)
        else:
            await self._ack()

    async def _ack(self) -> None:
        self._refuse_if_lost()
        with translated("acknowledging a delivery"):
            await self._incoming.ack()
        self._let_go(self)

    def _refuse_if_lost(self) -> None:
        if self.is_lost:
            self._let_go(self)
            raise QueueUnavailableError(
                f"the connection that brought the delivery is gone ({self._session.why_lost}); it will come again"
            )


def read_delivery(
    incoming: AbstractIncomingMessage,
    session: Session,
    source: Source,
    settler: Settler,
    let_go: Callable[[RabbitDelivery], None],
) -> RabbitDelivery:
    """Make a delivery of what came in; never fails."""
    return RabbitDelivery(
        message=decode_message(incoming),
        message_id=read_message_id(incoming),
        count=count_deliveries(incoming),
        _source=source,
        _incoming=incoming,
        _session=session,
        _settler=settler,
        _let_go=let_go,
    )
