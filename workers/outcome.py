"""What became of an uplink: a value that settlement acts on, and nothing else does."""

from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias

from common.envelope import Uplink
from common.reason import Reason


@dataclass(frozen=True, slots=True)
class Delivered:
    """The downstream has it."""

    uplink: Uplink


@dataclass(frozen=True, slots=True)
class SetAside:
    """An item that is no uplink, as a join or a downlink event: nothing to deliver, nothing wrong."""

    uplink: Uplink
    reason: Reason = Reason.NOT_AN_UPLINK


@dataclass(frozen=True, slots=True)
class RetryLater:
    """Not now: up the ladder.

    ``wait`` is the least time that the downstream asked for; None leaves it to the ladder. ``counts`` is false for an
    uplink that was not tried itself: the attempt is not taken from its budget.
    """

    uplink: Uplink
    reason: Reason
    detail: str
    wait: timedelta | None = None
    counts: bool = True


@dataclass(frozen=True, slots=True)
class PutBack:
    """The downstream is away as a whole: back into the queue, in its own place where the engine can, until it is there.

    ``counts`` is false for an uplink that was not tried: what waits for the end of an outage costs no attempts.
    """

    uplink: Uplink
    reason: Reason
    detail: str
    counts: bool = False


@dataclass(frozen=True, slots=True)
class DeadLettered:
    """Never by itself: an operator has to look."""

    uplink: Uplink
    reason: Reason
    detail: str


Outcome: TypeAlias = Delivered | SetAside | RetryLater | PutBack | DeadLettered
