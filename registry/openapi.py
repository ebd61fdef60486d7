"""The OpenAPI document: written of the same operations that the routes are made of, so that it cannot be untrue."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from typing import Any, Final

import orjson
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from registry.operations import Operation
from registry.records import RECORD_SCHEMA
from registry.request import TOKEN_HEADERS

PATH = "/openapi.json"

_PARAMETER = re.compile(r"\{(\w+)\}")

_REFERENCE = "#/components/schemas/{model}"

_DESCRIPTION = """Networks, connectors, devices, authorization keys and data, as in TagoIO's API.

An answer is `{"status": true, "result": …}`, or `{"status": false, "message": "…"}` with a status of 400 or more. \
A token may come in any of the headers """ + ", ".join(TOKEN_HEADERS)

_ENVELOPES: Final = {
    "Success": {
        "type": "object",
        "required": ["status", "result"],
        "properties": {"status": {"const": True}, "result": {}},
    },
    "Refusal": {
        "type": "object",
        "required": ["status", "message"],
        "properties": {"status": {"const": False}, "message": {"type": "string"}},
    },
    "Record": RECORD_SCHEMA,
    "Payload": {"description": "One record or an array of them; with a payload parser, whatever it makes records of."},
}

_CALLERS: Final = {
    "profile": ["profile"],
    "network": ["network"],
    "device": ["device"],
    "device or network": ["device", "network"],
}


def create_openapi_route(operations: Sequence[Operation]) -> BaseRoute:
    """Give the route that serves the document of these operations, written when somebody first asks for it."""

    @cache
    def write() -> bytes:
        return orjson.dumps(write_openapi(operations))

    async def show(_: Request) -> Response:
        return Response(write(), media_type="application/json")

    return Route(PATH, show)


def write_openapi(operations: Sequence[Operation]) -> dict[str, Any]:
    """Give the document."""
    models = {operation.body for operation in operations if isinstance(operation.body, type)}
    ordered = sorted(models, key=lambda model: model.__name__)
    _, schemas = models_json_schema([(model, "validation") for model in ordered], ref_template=_REFERENCE)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        for spelling in operation.spellings or (operation.path,):
            paths.setdefault(spelling, {})[operation.method.lower()] = _write_operation(operation, spelling)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Sluice registry", "version": version("sluice"), "description": _DESCRIPTION},
        "paths": paths,
        "components": {
            "schemas": {**schemas.get("$defs", {}), **_ENVELOPES},
            "securitySchemes": {
                kind: {"type": "apiKey", "in": "header", "name": "Token", "description": f"The token of a {kind}"}
                for kind in ("profile", "network", "device")
            },
        },
    }


def _write_operation(operation: Operation, spelling: str) -> dict[str, Any]:
    document: dict[str, Any] = {
        "summary": operation.summary,
        "parameters": [*_write_parameters(_PARAMETER.findall(spelling), "path"), *_write_query(operation)],
        "security": [{kind: []} for kind in _CALLERS[operation.caller]] if operation.caller else [],
        "responses": {
            str(operation.status): _write_content("Done", "Success", operation.media_type),
            "default": _write_content("Not done", "Refusal", "application/json"),
        },
    }
    if operation.body is not None:
        document["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _refer(operation.body)}},
        }
    return document


def _refer(body: type[BaseModel] | Mapping[str, Any]) -> Mapping[str, Any]:
    return {"$ref": _REFERENCE.format(model=body.__name__)} if isinstance(body, type) else body


def _write_query(operation: Operation) -> list[dict[str, Any]]:
    return _write_parameters(operation.query, "query")


def _write_parameters(names: Iterable[str], place: str) -> list[dict[str, Any]]:
    return [{"name": name, "in": place, "required": place == "path", "schema": {"type": "string"}} for name in names]


def _write_content(description: str, schema: str, media_type: str) -> dict[str, Any]:
    content = {"schema": {"$ref": _REFERENCE.format(model=schema)}} if media_type == "application/json" else {}
    return {"description": description, "content": {media_type: content}}
