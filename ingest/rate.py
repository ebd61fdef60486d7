"""How often one key may send."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from common.directory.model import AuthorizationKey
from common.reason import Reason
from ingest.refusal import RefusedError


@dataclass(slots=True)
class _Bucket:
    """A token bucket: as many requests at once as a minute allows, then evenly."""

    tokens: float
    filled_at: float


class RateLimit:
    """Counts the requests of each key at this ingest process. A key without a limit costs nothing.

    Only a known key gets here: there are no more buckets than keys that the directory had since the process began.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}

    def take(self, key: AuthorizationKey) -> None:
        """Count one request of this key.

        Raises :class:`RefusedError` (429) with the seconds until the next one may come.
        """
        limit = key.requests_per_minute
        if not limit:
            return
        now = self._clock()
        bucket = self._buckets.setdefault(key.id, _Bucket(limit, now))
        bucket.tokens = min(limit, bucket.tokens + (now - bucket.filled_at) * limit / 60)
        bucket.filled_at = now
        if bucket.tokens < 1:
            wait = max(1, math.ceil((1 - bucket.tokens) * 60 / limit))
            raise RefusedError(
                Reason.RATE_EXCEEDED,
                f"Too many requests: this key may send {limit} a minute (Retry-After: {wait})",
                headers={"Retry-After": str(wait)},
            )
        bucket.tokens -= 1
