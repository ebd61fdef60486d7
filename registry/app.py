"""The registry's ASGI application."""

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from common.internal_errors import InternalErrors
from registry.answer import answer_broken, answer_refused, answer_unrouted
from registry.bulk_routes import BulkAnnouncement
from registry.openapi import create_openapi_route
from registry.operations import Operation, create_routes
from registry.refusal import RefusedError


def create_app(operations: Sequence[Operation], routes: Sequence[BaseRoute]) -> ASGIApp:
    """Give the application of these operations, and of routes that are no part of the API."""
    app = Starlette(
        routes=[*create_routes(operations), create_openapi_route(operations), *routes],
        middleware=[Middleware(BulkAnnouncement), Middleware(InternalErrors, explain=answer_broken)],
        exception_handlers={RefusedError: answer_refused, HTTPException: answer_unrouted},
    )
    app.router.redirect_slashes = False  # a redirect would tell a client nothing, and has no envelope
    return app
