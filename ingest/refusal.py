"""Why a request is not accepted, and with which status: every row of docs/wire-format.md that is no 202."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from common.reason import Reason

STATUS: Mapping[Reason, int] = MappingProxyType(
    {
        Reason.BODY_MISSING: 400,
        Reason.BODY_MALFORMED: 400,
        Reason.ITEM_NOT_OBJECT: 400,
        Reason.SERIAL_MISSING: 400,
        Reason.AUTHORIZATION_MISSING: 401,
        Reason.AUTHORIZATION_UNKNOWN: 403,
        Reason.AUTHORIZATION_DISABLED: 403,
        Reason.PATH_UNKNOWN: 404,
        Reason.METHOD_NOT_ALLOWED: 405,
        Reason.REQUEST_TIMEOUT: 408,
        Reason.BODY_TOO_LARGE: 413,
        Reason.CONTENT_TYPE_UNSUPPORTED: 415,
        Reason.RATE_EXCEEDED: 429,
        Reason.INTERNAL_ERROR: 500,
        Reason.QUEUE_UNAVAILABLE: 503,
        Reason.QUEUE_FULL: 503,
        Reason.DIRECTORY_UNAVAILABLE: 503,
    }
)


class RefusedError(Exception):
    """The request is not accepted; nothing of it was.

    ``message`` tells the sender what to mend. ``headers`` go with the answer (``Retry-After``, ``Allow``), ``details``
    into its body.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.headers = headers or {}
        self.details = details or {}

    @property
    def status(self) -> int:
        """The HTTP status of this reason."""
        return STATUS[self.reason]


def build_unavailable(why: str, retry_after: int) -> RefusedError:
    """Give what says that the queue cannot take a request, and after how many seconds to send it again."""
    return RefusedError(
        Reason.QUEUE_UNAVAILABLE,
        f"The queue cannot take the request: {why}; send again later",
        headers={"Retry-After": str(retry_after)},
    )
