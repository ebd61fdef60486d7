"""Authorizations and network tokens that the downstream refuses: whatever needs them is held back, and asks seldom.

A matter of the key or the network, not of the uplink. A directory that was mended brings other tokens, which nothing is
known against; one that was mended downstream is found out by the one uplink that is let through from time to time.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias

import structlog

from common import metrics

WAIT = timedelta(seconds=30)
"""How long after a refusal nothing that needs the same credentials is asked."""

Credentials: TypeAlias = tuple[str, str]
"""Network token and authorization: what a resolve is asked with."""

log = structlog.get_logger()


@dataclass(slots=True)
class _Refusal:
    key_id: str
    ask_at: float


class Refusals:
    """Remembers which credentials were refused."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._refusals: dict[Credentials, _Refusal] = {}

    @property
    def keys(self) -> list[str]:
        """The ids of the keys whose uplinks are held back."""
        return sorted({refusal.key_id for refusal in self._refusals.values()})

    def hold(self, credentials: Credentials) -> bool:
        """Whether to hold an uplink back. Once in a while the answer is no: that one is to ask for all of them."""
        refusal = self._refusals.get(credentials)
        if refusal is None:
            return False
        now = self._clock()
        if now < refusal.ask_at:
            return True
        refusal.ask_at = now + WAIT.total_seconds()
        return False

    def add(self, credentials: Credentials, key_id: str) -> None:
        """Note that they were refused."""
        if credentials not in self._refusals:
            log.warning("authorization.refused", key=key_id)
        self._refusals[credentials] = _Refusal(key_id, self._clock() + WAIT.total_seconds())
        metrics.KEYS_REFUSED.set(len(self.keys))

    def lift(self, credentials: Credentials, key_id: str) -> None:
        """Note that these credentials are good, and what was known against the key's earlier ones is past."""
        if not self._refusals or not (credentials in self._refusals or key_id in self.keys):
            return
        self._refusals.pop(credentials, None)
        self._refusals = {c: refusal for c, refusal in self._refusals.items() if refusal.key_id != key_id}
        log.info("authorization.accepted", key=key_id)
        metrics.KEYS_REFUSED.set(len(self.keys))
