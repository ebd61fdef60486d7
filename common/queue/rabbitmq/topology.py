"""The queues on the broker: every name and every argument. Pure.

An argument is fixed when its queue is first declared: the broker refuses a declaration that differs. Whatever an
operator may want to change later is therefore no argument but a policy, or a check of our own.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from common.queue.limits import DELIVERY_LIMIT, refuse_unknown_step

PRACTICALLY_UNLIMITED = 1_000_000_000
"""A delivery limit that is never reached: on 3.10 -1 drops a message at its first return, on 4.0 none means 20."""

SEGMENT_BYTES = 20_000_000
"""Dead letters expire a whole segment at a time; in RabbitMQ's default of 500 MB they would stay for years."""

PUT_BACK_AFTER = timedelta(seconds=30)
"""How long waits what was put back: the broker knows no way back into a message's own place."""

UNITS = (
    ("h", timedelta(hours=1)),
    ("m", timedelta(minutes=1)),
    ("s", timedelta(seconds=1)),
    ("ms", timedelta(milliseconds=1)),
)


@dataclass(frozen=True, slots=True)
class DeclaredQueue:
    """One queue as it is declared; all are durable."""

    name: str
    arguments: Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Topology:
    """All queues of one deployment; ``prefix`` keeps several apart on one broker."""

    prefix: str
    retry_steps: tuple[timedelta, ...]
    dead_letter_age: timedelta

    @property
    def work(self) -> str:
        """Name of the queue that workers consume."""
        return f"{self.prefix}.uplinks"

    @property
    def suspects(self) -> str:
        """Name of the queue of messages that may have killed a worker, consumed one at a time."""
        return f"{self.prefix}.suspects"

    @property
    def poison(self) -> str:
        """Name of the queue of messages that were delivered too often."""
        return f"{self.prefix}.poison"

    @property
    def dead(self) -> str:
        """Name of the stream of dead letters and of what was done with them."""
        return f"{self.prefix}.dead"

    @property
    def retries(self) -> list[str]:
        """Names of the queues in which messages wait for their next attempt, one for each step."""
        return [self.retry(step) for step in self.retry_steps]

    def retry(self, delay: timedelta) -> str:
        """Name of the queue that holds a message back for ``delay``; raises ValueError where there is no such step."""
        refuse_unknown_step(delay, self.retry_steps)
        return f"{self.prefix}.retry.{name_delay(delay)}"

    @property
    def put_back(self) -> str:
        """Name of the queue for what was put back: that of the retry step nearest to :data:`PUT_BACK_AFTER`."""
        return self.retry(min(self.retry_steps, key=lambda step: abs(step - PUT_BACK_AFTER)))

    @property
    def queues(self) -> list[DeclaredQueue]:
        """All queues, each after those that it dead-letters to."""
        return [
            DeclaredQueue(self.poison, {"x-queue-type": "quorum", "x-delivery-limit": PRACTICALLY_UNLIMITED}),
            DeclaredQueue(self.work, {"x-delivery-limit": DELIVERY_LIMIT, **_dead_lettering_to(self.poison)}),
            DeclaredQueue(self.suspects, {"x-delivery-limit": DELIVERY_LIMIT, **_dead_lettering_to(self.poison)}),
            *(
                DeclaredQueue(
                    self.retry(step),
                    {"x-message-ttl": step // timedelta(milliseconds=1), **_dead_lettering_to(self.work)},
                )
                for step in self.retry_steps
            ),
            DeclaredQueue(
                self.dead,
                {
                    "x-queue-type": "stream",
                    "x-max-age": f"{math.ceil(self.dead_letter_age.total_seconds())}s",
                    "x-stream-max-segment-size-bytes": SEGMENT_BYTES,
                },
            ),
        ]


def name_delay(delay: timedelta) -> str:
    """Write a delay as the last part of a queue's name: ``5s``, ``2m``; raises ValueError below a millisecond."""
    for unit, length in UNITS:
        if delay % length == timedelta(0):
            return f"{delay // length}{unit}"
    raise ValueError(f"a retry step must be a whole number of milliseconds, not {delay}")


def _dead_lettering_to(queue: str) -> dict[str, str | int]:
    """Give the arguments of a quorum queue that hands its dead letters on without losing one.

    At-least-once needs all of these; without ``reject-publish`` the broker falls back to at-most-once in silence.
    """
    return {
        "x-queue-type": "quorum",
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": queue,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
