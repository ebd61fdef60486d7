"""What a request brings: its token, its body, its query parameters."""

import asyncio
from typing import TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails
from starlette.requests import Request

from common.validation import describe_error
from registry.ids import is_id
from registry.refusal import RefusedError, denied, invalid

BODY_BYTES = 200_000
"""TagoIO's limit on the body of a post, and plenty for everything else."""

BODY_SECONDS = 10.0
"""How long a body may take to arrive."""

TOKEN_HEADERS = ("Device-Token", "Token", "Authorization")
"""Where clients send their token. The official ones send ``token``, and other headers may be a proxy's own."""

_CLOSING = {"Connection": "close"}
"""For an answer to a request that was not read to its end: the next one would begin inside it."""

Model = TypeVar("Model", bound=BaseModel)


def read_token(request: Request) -> str:
    """Give the token. Raises :class:`registry.refusal.RefusedError` (401) where there is none."""
    for name in TOKEN_HEADERS:
        token = request.headers.get(name, "").strip()
        if token:
            return token
    raise denied()


async def read_body(request: Request, most: int = BODY_BYTES) -> bytes:
    """Give the body, of at most so many bytes.

    Raises :class:`registry.refusal.RefusedError` (413, 408), and :class:`starlette.requests.ClientDisconnect` when
    there is nobody left to answer.
    """
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                size += len(chunk)
                if size > most:
                    raise RefusedError(413, f"The body must not be larger than {most:,} bytes", _CLOSING)
                chunks.append(chunk)
    except TimeoutError:
        raise RefusedError(408, f"The body did not arrive within {BODY_SECONDS:g} s", _CLOSING) from None
    return b"".join(chunks)


async def read_document(request: Request, model: type[Model], most: int = BODY_BYTES) -> Model:
    """Read the body as a document. Raises :class:`registry.refusal.RefusedError` (400) that names every bad field."""
    body = await read_body(request, most)
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise _refuse(error) from None


async def read_documents(request: Request, model: type[Model]) -> list[Model]:
    """Read the body as one document or an array of them. Raises as :func:`read_document` does."""
    body = await read_body(request)
    try:
        if body.lstrip().startswith(b"["):
            return TypeAdapter(list[model]).validate_json(body)  # type: ignore[valid-type]  # a type made at run time
        return [model.model_validate_json(body)]
    except ValidationError as error:
        raise _refuse(error) from None


def read_id(request: Request, name: str) -> str:
    """Give an id of the path, or the empty string, which is nobody's, for what cannot be one."""
    text: str = request.path_params[name]
    return text if is_id(text) else ""


def _refuse(error: ValidationError) -> RefusedError:
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    return invalid("; ".join(_describe(problem) for problem in problems))


def _describe(problem: ErrorDetails) -> str:
    place = ".".join(str(part) for part in problem["loc"])
    message = describe_error(problem)
    return f"{place}: {message}" if place else message
