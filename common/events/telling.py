"""From an uplink to its events: whose it is, by the directory as it is today."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import structlog

from common.directory.model import AuthorizationKey, Directory
from common.directory.source import DirectorySource
from common.envelope import Uplink
from common.events.engine import NO_EVENTS, Events
from common.events.event import Event, Stage
from common.fields.finding import Missing, find_serial
from common.logs import LogBudget
from common.reason import Reason
from common.serial import SerialMalformedError

log = structlog.get_logger()


class UplinkEvents:
    """Tells what happens to uplinks. Ask :attr:`watched` first; telling itself never raises."""

    def __init__(self, events: Events, directory: DirectorySource | None = None) -> None:
        self._events = events
        self._directory = directory
        self._log_budget = LogBudget(lines_per_second=1)

    @property
    def watched(self) -> bool:
        """Whether anybody watches."""
        return self._events.watched

    def tell(
        self,
        stage: Stage,
        uplink: Uplink,
        facts: Mapping[str, Any],
        *,
        reason: Reason | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Tell one thing about one uplink; ``details`` go to those alone who asked for them."""
        try:
            key, network, serial = _identify(uplink, None if self._directory is None else self._directory.current)
        except Exception:
            if self._log_budget.allows("event.broken"):
                log.exception("event.broken", stage=stage, uplink_id=uplink.id)
            return
        shown = details if self._events.details_wanted else None
        self._events.publish(Event(datetime.now(UTC), stage, uplink.id, key, network, serial, reason, facts, shown))

    def tell_refusal(self, key: AuthorizationKey | None, facts: Mapping[str, Any], *, reason: Reason) -> None:
        """Tell that a request was refused, and whose it was where that is known."""
        key_id, network = (None, None) if key is None else (key.id, key.network)
        self._events.publish(Event(datetime.now(UTC), Stage.REFUSED, None, key_id, network, reason=reason, facts=facts))

    def tell_death(self, uplink_id: str, facts: Mapping[str, Any], *, reason: Reason) -> None:
        """Tell that a message died whose uplinks nobody could read."""
        self._events.publish(Event(datetime.now(UTC), Stage.DEAD, uplink_id, reason=reason, facts=facts))


UNHEARD = UplinkEvents(NO_EVENTS)


def _identify(uplink: Uplink, directory: Directory | None) -> tuple[str, str | None, str | None]:
    """Give the key, the network and the serial of an uplink, the serial as the network writes it where it can."""
    key_id = uplink.envelope.key_id
    key = None if directory is None else directory.key(key_id)
    if key is None or directory is None:
        return key_id, None, None
    return key_id, key.network, _find_serial(uplink, key, directory)


def _find_serial(uplink: Uplink, key: AuthorizationKey, directory: Directory) -> str | None:
    found = find_serial(key.field_map, uplink.item, uplink.envelope.query)
    if isinstance(found, Missing):
        return None
    network = directory.network(key.network)
    if network is None:
        return found.value
    try:
        return network.serial.normalise(found.value)
    except SerialMalformedError:
        return found.value
