"""What a parser says goes to whoever watches the uplink that it ran for."""

from collections.abc import Sequence
from datetime import UTC, datetime

from common.events.engine import Events
from common.events.event import Event, Stage
from registry.entries import DeviceEntry
from registry.parsers.model import ConsoleLine


def tell_console(events: Events, device: DeviceEntry, uplink_ids: Sequence[str], lines: Sequence[ConsoleLine]) -> None:
    """Tell each line, once for each uplink that the run was about; a post that names none is still a device's."""
    if not lines or not events.watched:
        return
    now = datetime.now(UTC)
    for line in lines:
        facts = {"device": device.id, "parser": line.kind, "level": line.level, "text": line.text}
        for uplink_id in uplink_ids or (None,):
            if uplink_id is None or events.wants(uplink_id):
                events.publish(
                    Event(now, Stage.SAID, uplink_id, network=device.network_id, serial=device.serial, facts=facts)
                )
