"""Why the registry does not do what it was asked, and with which HTTP status."""

from collections.abc import Mapping

from common.reason import Reason


class RefusedError(Exception):
    """The request is not done; nothing of it was. ``message`` says what to mend and never holds a token.

    ``reason`` is for a worker, where it makes a difference to what becomes of an uplink.
    """

    def __init__(
        self, status: int, message: str, headers: Mapping[str, str] | None = None, reason: Reason | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}
        self.reason = reason


def invalid(message: str) -> RefusedError:
    """400: what was sent has to be mended."""
    return RefusedError(400, message)


def denied() -> RefusedError:
    """401: the token is missing, unknown, or of another kind; an answer does not say which."""
    return RefusedError(401, "Authorization Denied")


def not_found(what: str) -> RefusedError:
    """404: there is none, or none that this caller may see."""
    return RefusedError(404, f"{what} Not Found")


def conflict(message: str) -> RefusedError:
    """409: it would contradict what is stored."""
    return RefusedError(409, message)


def unavailable(message: str) -> RefusedError:
    """503: not now; the same request may be done later."""
    return RefusedError(503, message, {"Retry-After": "1"})
