"""What the ingest tells to whoever watches."""

from common.directory.model import AuthorizationKey
from common.events.event import Stage
from common.events.telling import UplinkEvents
from ingest.refusal import RefusedError
from ingest.request import UplinkBatch


def tell_refused(events: UplinkEvents, refused: RefusedError, key: AuthorizationKey | None) -> None:
    """Tell how a request was answered that was not accepted; ``key`` is its sender's, where that is known."""
    events.tell_refusal(key, {"status": refused.status, "message": refused.message}, reason=refused.reason)


def tell_accepted(events: UplinkEvents, batch: UplinkBatch) -> None:
    """Tell of each uplink that the queue has it; what was sent is its details."""
    chosen = events.choose(batch.group, batch.items)
    if not chosen:
        return
    for uplink in batch.to_envelope().uplinks():
        if uplink.index in chosen:
            events.tell(
                Stage.ACCEPTED,
                uplink,
                {"arrived_at": batch.arrived_at, "uplinks": len(batch.items)},
                details={"query": uplink.envelope.query, "item": uplink.item},
            )
