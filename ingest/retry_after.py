"""What ``Retry-After`` says when the queue cannot take a request: the wait that is to be expected, in whole seconds."""

import math

SHORTEST_AWAY_SECONDS = 2
"""A reconnect is tried after 1 s, and a probe follows at once."""

LONGEST_SECONDS = 60
"""Whoever is told to wait longer comes back as late as this, whatever has become of the queue meanwhile."""

WEIGHT = 0.2
"""Of the newest confirm in the mean: a queue that slows down is noticed within some confirms."""


class ConfirmPace:
    """How fast the queue confirms, and how long what waits will take.

    ``in_flight`` is the number of frames that are published side by side.
    """

    def __init__(self, *, in_flight: int) -> None:
        self._in_flight = in_flight
        self._seconds_per_request = 0.0

    def note(self, *, requests: int, seconds: float) -> None:
        """Hear that a frame of so many requests was confirmed after so many seconds."""
        newest = seconds / requests / self._in_flight
        if self._seconds_per_request:
            self._seconds_per_request += WEIGHT * (newest - self._seconds_per_request)
        else:
            self._seconds_per_request = newest

    def retry_after(self, waiting: int) -> int:
        """Give the seconds until the requests that wait now are through."""
        return _bounded(waiting * self._seconds_per_request, shortest=1)


def retry_after_absence(seconds: float) -> int:
    """Give the seconds to wait for a queue that has been away for ``seconds``: about as long again."""
    return _bounded(seconds, shortest=SHORTEST_AWAY_SECONDS)


def _bounded(seconds: float, *, shortest: int) -> int:
    return min(max(math.ceil(seconds), shortest), LONGEST_SECONDS)
