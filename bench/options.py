"""How long and how often to measure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """``seconds`` of one run, ``rounds`` in which the systems take turns; ``scale`` of the long sections' uplinks.

    ``command`` and ``broker``, the version of RabbitMQ, are told beside the results.
    """

    seconds: float
    rounds: int
    scale: float
    command: str
    broker: str

    @property
    def slow_rounds(self) -> int:
        """Rounds for what is several times slower than what it is compared with: its spread decides nothing."""
        return min(self.rounds, 2)
