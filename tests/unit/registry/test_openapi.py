"""The OpenAPI document says what the routes do."""

import re
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from registry.service import Registry
from tests.unit.registry.api import Api

NOBODY = "0" * 24

OUTSIDE = {"/healthz", "/readyz", "/metrics", "/openapi.json", "/directory"}
"""Routes that are no part of the API."""


@pytest.fixture
async def document(client: httpx.AsyncClient) -> dict[str, Any]:
    response = await client.get("/openapi.json")
    assert (response.status_code, response.headers["Content-Type"]) == (200, "application/json")
    document: dict[str, Any] = response.json()
    return document


def collect_references(value: Any) -> set[str]:
    if isinstance(value, dict):
        found = set().union(*(collect_references(member) for member in value.values()))
        return found | ({value["$ref"]} if "$ref" in value else set())
    if isinstance(value, list):
        return set().union(*(collect_references(member) for member in value))
    return set()


async def test_every_route_is_described_and_nothing_else_is(document: dict[str, Any], registry: Registry) -> None:
    assert isinstance(registry.app, Starlette)
    routes = {
        (method, re.sub(r":path\}", "}", route.path))
        for route in registry.app.routes
        if isinstance(route, Route) and route.path not in OUTSIDE and not route.path.endswith("/")
        for method in (route.methods or set()) - {"HEAD"}
    }
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    resolve = {(method, path) for method, path in described if "/resolve/" in path}
    assert len(resolve) == 2
    assert described - resolve == {(method, path) for method, path in routes if "/resolve/" not in path}


async def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    references = collect_references(document)
    assert len(references) > 10
    for reference in references:
        name = reference.removeprefix("#/components/schemas/")
        assert name in document["components"]["schemas"], reference


async def test_every_path_names_its_parameters(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        for operation in methods.values():
            named = [parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "path"]
            assert named == re.findall(r"\{(\w+)\}", path)


async def test_a_documented_caller_is_the_one_that_is_let_in(document: dict[str, Any], api: Api) -> None:
    """Each operation that says it wants a profile's token takes one: it answers anything but 401."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            filled = re.sub(r"\{\w+\}", NOBODY, path)
            body: Any = {} if method in {"post", "put"} else None
            status = (await api.client.request(method, filled, headers=api.headers, json=body)).status_code
            of_profile = {"profile": []} in operation["security"]
            anybody = operation["security"] == []
            assert (status != 401) == (of_profile or anybody), f"{method} {path}"
