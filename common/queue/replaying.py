"""From a dead letter back to a message: what a replay puts into the work queue. Pure."""

import uuid
from dataclasses import dataclass, replace
from datetime import datetime

from common.dead_letter import FRAME_PREFIX, DeadLetter, Disposition, Mark
from common.envelope import Envelope, FrameUnreadableError, FrameUnsupportedError, decode_frame, encode_frame
from common.queue.protocol import Message

LARGEST_VERSION = 2**31 - 1
"""What a header holds; a number beyond it is no version."""


@dataclass(frozen=True, slots=True)
class Replay:
    """A message for the work queue, and the mark that takes its letter off the list."""

    message: Message
    message_id: str
    mark: Mark


def plan_replay(letter: DeadLetter, now: datetime) -> Replay:
    """Give a letter its message. Raises ValueError for one that is cut, of which nothing can be replayed."""
    mark = Mark(letter.uplink_id, Disposition.REPLAYED, now, letter.died_at, letter.uplinks)
    if letter.envelope is not None:
        return Replay(_renew(letter.envelope), uuid.uuid4().hex, mark)
    if letter.frame is None or letter.is_cut:
        raise ValueError(f"the letter of {letter.uplink_id} does not hold its uplink: there is nothing to replay")
    # The same id as before, so that a frame that cannot be read this time either is one letter with its history.
    return Replay(_republish(letter.frame, letter.uplinks), letter.uplink_id.removeprefix(FRAME_PREFIX), mark)


def _renew(envelope: Envelope) -> Message:
    """Start the attempts afresh, with the whole ladder before them.

    ``first_seen`` stays: it tells how long the uplink has been on its way, and the resolver that it was tried before.
    """
    return Message(encode_frame([replace(envelope, attempt=1)]), len(envelope.items))


def _republish(body: bytes, uplinks: int) -> Message:
    """Publish a body as it came. Its version is read from it: a newer worker may know it by now."""
    try:
        decode_frame(body)
    except FrameUnsupportedError as error:
        if type(error.version) is int and 0 <= error.version <= LARGEST_VERSION:
            return Message(body, uplinks, version=error.version)
    except FrameUnreadableError:
        pass
    return Message(body, uplinks)
