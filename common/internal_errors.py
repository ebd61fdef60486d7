"""Middleware for what no route expected: one place where it is caught, the same at every role with routes."""

from collections.abc import Callable
from typing import TypeAlias

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

Explain: TypeAlias = Callable[[Scope, Exception], ASGIApp]
"""Logs the error, and gives what answers it without a word about its cause."""


class InternalErrors:
    """Catches what comes out of an app. Whoever is gone is answered nothing.

    An answer that has begun cannot be taken back: its error goes on to the server, which ends the connection.
    """

    def __init__(self, app: ASGIApp, explain: Explain) -> None:
        self._app = app
        self._explain = explain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and catch what comes back."""
        started = False

        async def note_start(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, note_start)
        except ClientDisconnect:
            return
        except Exception as error:
            answer = self._explain(scope, error)
            if started:
                raise
            await answer(scope, receive, send)
