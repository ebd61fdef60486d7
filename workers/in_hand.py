"""How long the oldest uplink that a worker has in hand has been waiting."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from common import metrics
from common.envelope import Envelope, find_waiting_since
from common.queue_watch import measure_age


class OldestInHand:
    """Knows what is being processed. The queue hands out what waits in order, so nothing waits there for longer."""

    def __init__(self) -> None:
        self._since: dict[object, datetime] = {}
        metrics.OLDEST_UPLINK_AGE.labels("hand").set_function(self._measure)

    @contextmanager
    def holding(self, envelopes: Sequence[Envelope]) -> Iterator[None]:
        """Count these as in hand until they are settled."""
        delivery = object()
        self._since[delivery] = find_waiting_since(envelopes, datetime.now(UTC))
        try:
            yield
        finally:
            del self._since[delivery]

    def _measure(self) -> float:
        return measure_age(min(self._since.values(), default=None))
