"""Why a page is not shown, or what was asked for is not done."""


class RefusedError(Exception):
    """The request is not done; the message says why, and never holds a token."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class SignedOutError(Exception):
    """Nobody is signed in, or no longer; the way on is the sign-in page."""


def not_found(what: str = "Page") -> RefusedError:
    """404: there is none, or none that this profile may see."""
    return RefusedError(404, f"{what} Not Found")


def forbidden(message: str) -> RefusedError:
    """403: not with this session."""
    return RefusedError(403, message)
