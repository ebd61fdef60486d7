"""One hand-over of one message, and its one final answer."""

from dataclasses import dataclass, field

from aio_pika.abc import AbstractIncomingMessage

from common.queue.protocol import Message, QueueUnavailableError
from common.queue.rabbitmq.messages import count_deliveries, decode_message, read_message_id
from common.queue.rabbitmq.problems import translated
from common.queue.rabbitmq.session import Session


@dataclass(frozen=True, slots=True, eq=False)
class RabbitDelivery:
    """A delivery; it can be settled on the session that brought it, and on no other."""

    message: Message
    message_id: str
    count: int
    suspect: bool
    poisoned: bool
    _incoming: AbstractIncomingMessage = field(repr=False)
    _session: Session = field(repr=False)

    @property
    def is_lost(self) -> bool:
        """Whether the session is gone: the message is in the queue again, and may be with somebody else already."""
        return self._session.why_lost is not None

    async def ack(self) -> None:
        """See :meth:`common.queue.protocol.Delivery.ack`."""
        self._refuse_if_lost()
        with translated("acknowledging a delivery"):
            await self._incoming.ack()

    async def hand_back(self) -> None:
        """See :meth:`common.queue.protocol.Delivery.hand_back`. A reject: every version counts it as a delivery."""
        self._refuse_if_lost()
        with translated("handing a delivery back"):
            await self._incoming.reject(requeue=True)

    async def return_unopened(self) -> None:
        """Put back what nobody has looked at. A nack: no failure, and 4.3 does not count it as one."""
        self._refuse_if_lost()
        with translated("returning a delivery"):
            await self._incoming.nack(requeue=True)

    def _refuse_if_lost(self) -> None:
        if self.is_lost:
            raise QueueUnavailableError(
                f"the connection that brought the delivery is gone ({self._session.why_lost}); it will come again"
            )


def read_delivery(
    incoming: AbstractIncomingMessage, session: Session, *, suspect: bool, poisoned: bool
) -> RabbitDelivery:
    """Make a delivery of what came in; never fails."""
    return RabbitDelivery(
        message=decode_message(incoming),
        message_id=read_message_id(incoming),
        count=count_deliveries(incoming),
        suspect=suspect,
        poisoned=poisoned,
        _incoming=incoming,
        _session=session,
    )
