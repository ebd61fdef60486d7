"""What remains of a delivery, as the file stores it. Pure."""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

from common.dead_letter import DeadLetter
from common.queue.limits import refuse_too_large, refuse_unknown_step
from common.queue.protocol import Message, Remainder
from common.queue.sqlite.clock import to_milliseconds
from common.queue.sqlite.dead_letters import EncodedEntry, encode
from common.queue.sqlite.schema import AT_ONCE, SUSPECT


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message on its way into the file."""

    message_id: str
    message: Message
    due_at: int


@dataclass(frozen=True, slots=True)
class EncodedRemainder:
    """What a settlement writes in place of its message, and counts. ``now``: when the letters were written."""

    letters: Sequence[EncodedEntry]
    new: Sequence[NewMessage]
    put_back: NewMessage | None
    delivered: int
    set_aside: int
    died: int
    now: int

    @property
    def size(self) -> int:
        """Bytes that it keeps in memory."""
        messages = self.new if self.put_back is None else [*self.new, self.put_back]
        return sum(len(letter.body) for letter in self.letters) + sum(len(new.message.body) for new in messages)


def encode_remainder(remainder: Remainder, retry_steps: Collection[timedelta], now: int) -> EncodedRemainder:
    """Encode what remains. Raises as :meth:`common.queue.protocol.Delivery.settle` for what can never be stored.

    One message has one place: of several that are put back, the others go behind what waits.
    """
    put_back = [_create(message, AT_ONCE) for message in remainder.put_back]
    later = [_create(message, _find_due(delay, retry_steps, now)) for message, delay in remainder.later]
    suspects = [_create(message, SUSPECT) for message in remainder.suspects]
    return EncodedRemainder(
        letters=[_encode_letter(letter) for letter in remainder.letters],
        new=[*suspects, *later, *put_back[1:]],
        put_back=put_back[0] if put_back else None,
        delivered=remainder.delivered,
        set_aside=remainder.set_aside,
        died=remainder.died,
        now=now,
    )


def _encode_letter(letter: DeadLetter) -> EncodedEntry:
    encoded = encode(letter)
    refuse_too_large(encoded.body)
    return encoded


def _create(message: Message, due_at: int) -> NewMessage:
    refuse_too_large(message.body)
    return NewMessage(uuid.uuid4().hex, message, due_at)


def _find_due(delay: timedelta, retry_steps: Collection[timedelta], now: int) -> int:
    refuse_unknown_step(delay, retry_steps)
    return now + to_milliseconds(delay)
