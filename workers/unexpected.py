"""A bug of ours, met while processing one uplink: logged with its traceback, and kept to that uplink."""

import structlog

from common.envelope import Uplink
from common.logs import LogBudget
from common.reason import Reason
from workers.outcome import RetryLater

_TRACEBACKS = LogBudget(lines_per_second=1)
"""One traceback a second says as much about a bug as ten thousand; the budget is the process's."""

log = structlog.get_logger()


def note_unexpected(uplink: Uplink, error: Exception) -> RetryLater:
    """Log the error, and have the uplink tried again: settlement gives ``internal_error`` two more attempts."""
    kind = type(error).__name__
    if (suppressed := _TRACEBACKS.admit(kind)) is not None:
        log.error("uplink.broken", uplink_id=uplink.id, suppressed=suppressed, exc_info=error)
    return RetryLater(uplink, Reason.INTERNAL_ERROR, f"{kind} in Sluice itself; the worker's log has the traceback")
