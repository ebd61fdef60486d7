"""The console's cookies: nothing but random names, which no script can read and no other site can send."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from console.sessions import LIFE_SECONDS

SESSION: Final = "sluice_session"
VISITOR: Final = "sluice_visitor"
"""Of whoever has not signed in: ties the sign-in form to the browser that it was shown to."""


def read_cookie(request: Request, name: str) -> str:
    """Give the value, or the empty string, which is nobody's."""
    return request.cookies.get(_full_name(request, name), "")


def set_cookie(request: Request, response: Response, name: str, value: str) -> None:
    """Have the browser keep a value, and send it to this console alone."""
    response.set_cookie(
        _full_name(request, name),
        value,
        max_age=int(LIFE_SECONDS),
        path="/",
        secure=_is_secure(request),
        httponly=True,
        samesite="strict",
    )


def delete_cookie(request: Request, response: Response, name: str) -> None:
    """Have the browser forget a value."""
    response.delete_cookie(
        _full_name(request, name), path="/", secure=_is_secure(request), httponly=True, samesite="strict"
    )


def _full_name(request: Request, name: str) -> str:
    """Give the name; under TLS with the prefix by which a browser takes it from nobody but this very host."""
    return f"__Host-{name}" if _is_secure(request) else name


def _is_secure(request: Request) -> bool:
    return request.url.scheme == "https"
