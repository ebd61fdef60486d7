"""Our messages and AMQP's: body, headers and properties, as docs/wire-format.md has them. Pure."""

import hashlib
import uuid
from collections.abc import Mapping
from typing import Any

import aio_pika
from aio_pika.abc import AbstractIncomingMessage, DeliveryMode

from common.dead_letter import DeadLetter, Mark, encode_entry
from common.envelope import FRAME_VERSION
from common.queue.limits import refuse_too_large
from common.queue.protocol import Message


def encode_message(message: Message, *, message_id: str | None = None) -> aio_pika.Message:
    """Make the AMQP message of a frame, with a fresh id if none is given; raises :class:`MessageTooLargeError`."""
    return _encode(message.body, _describe(message), message_id)


def encode_copy(message: Message, *, message_id: str, count: int) -> aio_pika.Message:
    """Make the AMQP message of one that goes back unopened from its ``count``-th delivery, which is not to count.

    The broker counts a new message from the start, so the deliveries before that one travel along. Raises
    :class:`MessageTooLargeError`.
    """
    return _encode(message.body, {**_describe(message), "deliveries": count - 1}, message_id)


def encode_letter(entry: DeadLetter | Mark) -> aio_pika.Message:
    """Make the AMQP message of a dead letter or of a mark; raises :class:`MessageTooLargeError`."""
    match entry:
        case DeadLetter(reason=reason):
            headers = {"entry": "letter", "reason": reason.value}
        case Mark(disposition=disposition):
            headers = {"entry": disposition.value}
    return _encode(encode_entry(entry), headers)


def decode_message(incoming: AbstractIncomingMessage) -> Message:
    """Read a delivery. Headers that are missing or nonsense get the most harmless value: somebody published by hand."""
    return Message(
        body=incoming.body,
        uplinks=_number(incoming.headers, "uplinks", default=1, least=0),
        attempt=_number(incoming.headers, "attempt", default=1, least=1),
        version=_number(incoming.headers, "version", default=FRAME_VERSION, least=0),
    )


def read_message_id(incoming: AbstractIncomingMessage) -> str:
    """Give the message's id; without one, a digest of the body, which is the same at each delivery as well."""
    return incoming.message_id or hashlib.blake2b(incoming.body, digest_size=16).hexdigest()


def count_deliveries(incoming: AbstractIncomingMessage) -> int:
    """Say which delivery this is, from 1.

    The broker counts those of this message before it, and at first may send no count at all; those of the message that
    this one is a copy of came along.
    """
    before = _number(incoming.headers, "deliveries", default=0, least=0)
    return before + _number(incoming.headers, "x-delivery-count", default=0, least=0) + 1


def count_uplinks(message: aio_pika.Message) -> int:
    """Say how many uplinks a message of ours brings into the queue; a letter or a mark brings none."""
    return _number(message.headers, "uplinks", default=0, least=0)


def _describe(message: Message) -> dict[str, int]:
    return {"uplinks": message.uplinks, "attempt": message.attempt, "version": message.version}


def _encode(body: bytes, headers: Mapping[str, Any], message_id: str | None = None) -> aio_pika.Message:
    refuse_too_large(body)
    return aio_pika.Message(
        body,
        headers=dict(headers),
        content_type="application/json",
        delivery_mode=DeliveryMode.PERSISTENT,
        # Never two at a time: the library matches a returned message by its id, and they would get each other's answer.
        message_id=message_id or uuid.uuid4().hex,
    )


def _number(headers: Mapping[str, Any], name: str, *, default: int, least: int) -> int:
    value = headers.get(name)
    return value if isinstance(value, int) and value >= least else default
