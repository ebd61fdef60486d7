"""How long the engine waits for the disk and how much it keeps in memory, in one place so that tests can have less."""

from dataclasses import dataclass

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds and bytes."""

    answer_seconds: float = 5.0
    """For everything that is asked of the file, waiting in line included. A disk that is slower is as good as away."""

    pause_seconds: float = 1.0
    """Between two tries of a consumer whose file cannot be used."""

    look_seconds: float = 0.5
    """How often a consumer looks whether another process has published: nobody tells it."""

    goodbye_seconds: float = 5.0
    """For finishing what waits when the queue is closed; afterwards the thread is left to itself."""

    waiting_bytes: int = 64 * MEBIBYTE
    """Frames that wait for the disk; beyond it a publish is refused at once."""

    reserve_bytes: int = 32 * MEBIBYTE
    """Free space on the disk that no publish may use.

    Taking a message out of the queue has to be written down as well, so a queue that had filled the disk to the last
    byte could never be emptied again.
    """
