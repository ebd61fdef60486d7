"""How long the engine waits for the broker, all in one place so that tests can wait less."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """A publish ends at once while the broker is known to be away, else within ``connect`` and ``confirm`` together.

    And ``answer``, when it has to declare a queue anew that somebody deleted.
    """

    connect_seconds: float = 5.0
    """For one attempt to connect: TCP, TLS, login, and declaring every queue."""

    confirm_seconds: float = 5.0
    """For the confirm of one publish. Above the 2 s after which a sender is refused: a slow disk is no lost broker."""

    answer_seconds: float = 5.0
    """For the answer to anything else that is asked of the broker."""

    pause_seconds: float = 1.0
    """Between the loss of a connection and the next attempt: short enough for a restart, long enough not to hammer."""

    quiet_seconds: float = 1.0
    """How long a stream that seems empty is listened to before it counts as empty: the broker counts it with delay."""

    goodbye_seconds: float = 2.0
    """For closing a connection in good order; afterwards it is cut."""
