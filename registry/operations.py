"""Operations: what the registry's API offers, one entry each, of which the routes and the OpenAPI document are made."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]

CallerKind: TypeAlias = Literal["profile", "network", "device", "device or network"]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path.

    ``caller``: whose token it takes; None: no token. ``body``: what it reads. ``query``: the parameters it knows.
    ``spellings``: the paths as OpenAPI writes them, where the route's own pattern is no such path. ``media_type``: of a
    successful answer.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    caller: CallerKind | None = "profile"
    body: type[BaseModel] | Mapping[str, Any] | None = None
    query: Sequence[str] = field(default=())
    spellings: Sequence[str] = field(default=())
    status: int = 200
    media_type: str = "application/json"


def create_routes(operations: Sequence[Operation]) -> list[Route]:
    """Give the routes, one for each path, in the order of their first operation.

    Each has a second spelling with a slash at its end, which some of the official clients write.
    """
    by_path: dict[str, dict[str, Handler]] = {}
    for operation in operations:
        by_path.setdefault(operation.path, {})[operation.method] = operation.handler
    return [
        Route(spelling, _dispatch(handlers), methods=list(handlers))
        for path, handlers in by_path.items()
        for spelling in (path, f"{path}/")
    ]


def _dispatch(handlers: Mapping[str, Handler]) -> Handler:
    if len(handlers) == 1:
        (only,) = handlers.values()
        return only

    async def dispatch(request: Request) -> Response:
        return await handlers["GET" if request.method == "HEAD" else request.method](request)

    return dispatch
