"""What the ingest tells to whoever watches."""

from common.events.event import Stage
from common.events.telling import UplinkEvents
from ingest.request import UplinkBatch


def tell_accepted(events: UplinkEvents, batch: UplinkBatch) -> None:
    """Tell of each uplink that the queue has it; what was sent is its details."""
    for uplink in batch.to_envelope().uplinks():
        events.tell(
            Stage.ACCEPTED,
            uplink,
            {"arrived_at": batch.arrived_at, "uplinks": len(batch.items)},
            details={"query": uplink.envelope.query, "item": uplink.item},
        )
