"""From an uplink to its events: whose it is, by the directory as it is today."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from common.directory.model import AuthorizationKey, Directory
from common.directory.source import DirectorySource
from common.envelope import Item, Uplink
from common.events.engine import NO_EVENTS, Events
from common.events.event import Event, Stage
from common.fields.finding import Missing, find_serial
from common.reason import Reason
from common.serial import SerialMalformedError


class Owner(NamedTuple):
    """Whose an uplink is: its key and network, by their ids, and the serial of its device. None: not known."""

    key: str
    network: str | None = None
    serial: str | None = None


class UplinkEvents:
    """Tells what happens to uplinks. Ask first who wants to be told; telling itself never raises."""

    def __init__(self, events: Events, directory: DirectorySource | None = None) -> None:
        self._events = events
        self._directory = directory

    @property
    def watched(self) -> bool:
        """Whether anybody watches."""
        return self._events.watched

    def wants(self, uplink: Uplink) -> bool:
        """Whether anybody may want to be told of this uplink: where more come than are used, most are left out."""
        return self._events.wants(uplink.id)

    def choose(self, group: str, items: Sequence[tuple[int, Item]]) -> range:
        """Give the indexes of those uplinks of a request that anybody may want to be told of: mostly few, or none."""
        return self._events.choose(group, items[-1][0] + 1 if items else 0)

    def tell(
        self,
        stage: Stage,
        uplink: Uplink,
        facts: Mapping[str, Any],
        *,
        reason: Reason | None = None,
        details: Mapping[str, Any] | None = None,
        owner: Owner | None = None,
    ) -> None:
        """Tell one thing about one uplink, soon: nothing that is given here may change afterwards.

        ``details`` go to those alone who asked for them. ``owner`` is looked for where it is not given.
        """
        now = datetime.now(UTC)

        def make() -> Event:
            found = owner or _find_owner(uplink, None if self._directory is None else self._directory.current)
            shown = details if self._events.details_wanted else None
            return Event(now, stage, uplink.id, *found, reason, facts, shown)

        self._events.publish_later(make)

    def tell_refusal(self, key: AuthorizationKey | None, facts: Mapping[str, Any], *, reason: Reason) -> None:
        """Tell that a request was refused, and whose it was where that is known."""
        key_id, network = (None, None) if key is None else (key.id, key.network)
        self._events.publish(Event(datetime.now(UTC), Stage.REFUSED, None, key_id, network, reason=reason, facts=facts))

    def tell_death(self, uplink_id: str, facts: Mapping[str, Any], *, reason: Reason) -> None:
        """Tell that a message died whose uplinks nobody could read."""
        self._events.publish(Event(datetime.now(UTC), Stage.DEAD, uplink_id, reason=reason, facts=facts))


UNHEARD = UplinkEvents(NO_EVENTS)


def _find_owner(uplink: Uplink, directory: Directory | None) -> Owner:
    """Say whose an uplink is, with the serial as the network writes it where it can."""
    key_id = uplink.envelope.key_id
    key = None if directory is None else directory.key(key_id)
    if key is None or directory is None:
        return Owner(key_id)
    return Owner(key_id, key.network, _find_serial(uplink, key, directory))


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
