"""One hand-over of one message, and its one final answer."""

from collections.abc import Callable
from dataclasses import dataclass, field

from common.queue.limits import DELIVERY_LIMIT
from common.queue.protocol import Message, Remainder
from common.queue.sqlite.holding import Holding
from common.queue.sqlite.store import TakenMessage


@dataclass(frozen=True, slots=True, eq=False)
class SqliteDelivery:
    """A delivery; ``_let_go`` makes room for another one in the consumer's hand."""

    _taken: TakenMessage
    _holding: Holding = field(repr=False)
    _let_go: Callable[[TakenMessage], None] = field(repr=False)

    @property
    def message(self) -> Message:
        """See :class:`common.queue.protocol.Delivery`."""
        return self._taken.message

    @property
    def message_id(self) -> str:
        """See the protocol."""
        return self._taken.message_id

    @property
    def count(self) -> int:
        """See the protocol."""
        return self._taken.count

    @property
    def is_lost(self) -> bool:
        """See the protocol: only closing the queue loses a delivery, a file that was opened anew does not."""
        return self._holding.is_over

    @property
    def suspect(self) -> bool:
        """See the protocol."""
        return self._taken.suspect

    @property
    def poisoned(self) -> bool:
        """See the protocol."""
        return self._taken.count > DELIVERY_LIMIT + 1

    async def settle(self, remainder: Remainder) -> None:
        """See the protocol. All in one transaction; what is put back takes the message's place at once."""
        encoded = self._holding.encode(remainder)
        try:
            await self._holding.settle(self._taken, encoded)
        finally:
            self._let_go(self._taken)

    async def hand_back(self) -> None:
        """See the protocol. What fails is done as soon as the file can be used again."""
        try:
            await self._holding.hand_back(self._taken)
        finally:
            self._let_go(self._taken)
