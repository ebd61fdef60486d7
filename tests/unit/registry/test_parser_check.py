"""A parser is compiled when it is saved: what cannot be run is refused then, and not when the first uplink comes."""

from base64 import b64encode
from typing import Any

import pytest
from sqlalchemy import update

from registry.first_start import FirstStart
from registry.parsers.pool import ParserPool
from registry.parsers.run_queue import ParsersUnavailableError
from registry.schema import NETWORKS
from registry.service import Registry
from tests.unit.registry.api import Api
from tests.unit.registry.devices import CreateDevice

BROKEN = "const raw = payload;\npayload = raw.map(record => ;"
TYPESCRIPT = "const raw: any = payload;\npayload = [];"


def encode(source: str) -> str:
    return b64encode(source.encode()).decode()


@pytest.fixture(params=["network", "connector", "device"])
def whose(request: pytest.FixtureRequest) -> str:
    """Whose parser it is."""
    kind: str = request.param
    return kind


@pytest.fixture
async def path(whose: str, first: FirstStart, create_device: CreateDevice) -> str:
    """Where it is changed."""
    return {
        "network": f"/integration/network/{first.network_id}",
        "connector": f"/integration/connector/{first.connector_id}",
        "device": f"/device/{(await create_device()).id}",
    }[whose]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (BROKEN, "line 2, column 29: SyntaxError: Unexpected token ';'"),
        (TYPESCRIPT, "line 1, column 7: this is TypeScript, which is not run: compile it to JavaScript first"),
        ("if (payload) {", "line 1: SyntaxError: the parser ends before everything that it opened is closed"),
    ],
)
async def test_a_change_to_what_cannot_be_run_is_refused_with_its_place_and_the_old_one_stays(
    api: Api, whose: str, path: str, source: str, message: str
) -> None:
    await api.put(path, payload_decoder=encode("payload = [];"))
    status, said = await api.refuse("PUT", path, {"name": "B", "payload_decoder": encode(source)})
    assert status == 400
    assert said.startswith(f"payload_decoder: {whose} parser, {message}")
    kept = await api.get(path)
    assert (kept["payload_decoder"], kept["name"] == "B") == (encode("payload = [];"), False)


async def test_nothing_is_created_with_what_cannot_be_run(api: Api, first: FirstStart, whose: str, path: str) -> None:
    things = path.rpartition("/")[0]
    forms: dict[str, dict[str, Any]] = {
        "network": {"name": "A"},
        "connector": {"name": "A", "networks": [first.network_id]},
        "device": {"name": "A", "network": first.network_id, "connector": first.connector_id, "serie_number": "A"},
    }
    new = forms[whose]
    before = await api.get(things)
    status, _ = await api.refuse("POST", things, {**new, "payload_decoder": encode(BROKEN)})
    assert (status, await api.get(things)) == (400, before)
    assert await api.create(things, **new, payload_decoder=encode("payload = [];"))


async def test_a_parser_that_was_saved_before_stays_while_other_things_change(
    api: Api, registry: Registry, first: FirstStart
) -> None:
    async with registry._database.writing() as connection:
        await connection.execute(update(NETWORKS).values(payload_decoder=encode(BROKEN)))
    path = f"/integration/network/{first.network_id}"
    await api.put(path, name="B")
    assert (await api.get(path))["payload_decoder"] == encode(BROKEN)
    await api.put(path, payload_decoder=None)


async def test_while_nothing_can_be_compiled_saving_is_503(
    api: Api, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise ParsersUnavailableError("No parser process can be started")

    monkeypatch.setattr(ParserPool, "compile", fail)
    assert await api.refuse("PUT", path, {"payload_decoder": encode("payload = [];")}) == (
        503,
        "No parser process can be started",
    )
