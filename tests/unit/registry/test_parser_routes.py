"""A parser is tried on a sample under the limits of every run, and nothing of it stays."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from registry.parser_routes import TRIAL_BYTES
from registry.parsers.pool import ParserPool
from registry.parsers.run_queue import ParsersUnavailableError
from registry.request import BODY_BYTES
from registry.service import Registry
from tests.unit.registry.api import Api
from tests.unit.registry.devices import CreateDevice
from tests.unit.registry.registries import open_registry

PATH = "/parser/test"

UPLINK = [{"variable": "payload", "value": "00eb"}, {"variable": "port", "value": 2}]

NOTHING: dict[str, Any] = {"records": [], "serial": None, "console": [], "problem": None, "line": None, "column": None}


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[Registry]:
    """What is tested here is the same on every database."""
    async with open_registry(tmp_path, None) as registry:
        yield registry


def build(source: str, payload: Any = UPLINK, **fields: Any) -> dict[str, Any]:
    """Give the body of a request."""
    return {"payload_decoder": b64encode(source.encode()).decode(), "payload": payload, **fields}


async def test_the_records_and_what_the_parser_says_are_answered_and_nothing_is_stored(
    api: Api, create_device: CreateDevice
) -> None:
    device = await create_device()
    before = await api.get(f"/device/{device.id}")
    source = """
    console.log('port', payload[1].value);
    payload = [{ variable: 'Temperature', value: parseInt(payload[0].value, 16) / 10, unit: '°C', group: 7 }];
    """
    tried = await api.post(PATH, build(source, device={"id": device.id}))
    assert tried == NOTHING | {
        "records": [{"variable": "temperature", "value": 23.5, "unit": "°C", "group": "7"}],
        "console": [{"level": "log", "text": "port 2"}],
    }
    assert await api.get(f"/device/{device.id}") == before
    assert await api.get(f"/device/{device.id}/data") == []


async def test_a_failure_has_its_place_and_what_was_said_before_it(api: Api) -> None:
    tried = await api.post(PATH, build("console.error('here');\npayload.missing.value;", kind="connector"))
    problem = "connector parser, line 2, column 17: TypeError: Cannot read properties of undefined (reading 'value')"
    said = [{"level": "error", "text": "here"}]
    assert tried == NOTHING | {"problem": problem, "line": 2, "column": 17, "console": said}


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("payload = raw.map(record => ;", "device parser, line 1, column 29: SyntaxError: Unexpected token ';'"),
        ("while (true);", "device parser: it took more than 1 s of processor time"),
        ("payload = [{ variable: 'a b', value: 1 }];", "Record 0: variable must be"),
        ("payload = 5;", "device parser: "),
    ],
)
async def test_what_would_not_be_stored_is_a_problem_and_no_refusal(api: Api, source: str, problem: str) -> None:
    assert (await api.post(PATH, build(source)))["problem"].startswith(problem)
    assert await api.post(PATH, build("payload = [];")) == NOTHING


async def test_a_parser_sees_the_device_and_a_network_s_may_set_the_serial(api: Api) -> None:
    device = {
        "id": "6a1f0c52d3b19e4477aa01c9",
        "tags": [{"key": "room", "value": "1"}],
        "params": [{"key": "offset", "value": "0.5"}],
    }
    source = "serial = payload; payload = [{ variable: 'v', value: JSON.stringify(device) }];"
    tried = await api.post(PATH, build(source, "A1", kind="network", device=device))
    assert tried["serial"] == "A1"
    assert tried["records"][0]["value"] == (
        '{"id":"6a1f0c52d3b19e4477aa01c9","tags":[{"key":"room","value":"1"}],'
        '"params":[{"key":"offset","value":"0.5","sent":false}]}'
    )
    assert "serial" not in (await api.post(PATH, build(source, "A1")))["records"][0]


async def test_a_number_that_is_too_large_to_be_handed_over_is_named_as_the_problem(api: Api) -> None:
    tried = await api.post(PATH, build("payload = [];", [{"variable": "v", "value": 10**30}]))
    assert tried["problem"].endswith("or has a number of more than 64 bits")


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({}, "payload_decoder: Field required; payload: Field required"),
        (build(" " * 65_537), "payload_decoder: the parser has 65,537 bytes; at most 65,536 are taken"),
        (build("x", kind="gateway"), "kind: Input should be 'network', 'connector' or 'device'"),
        (build("x", device={"params": [{"name": "a"}]}), "device.params.0.name: Extra inputs are not permitted"),
    ],
)
async def test_a_request_that_is_none_is_refused(api: Api, document: dict[str, Any], message: str) -> None:
    assert await api.refuse("POST", PATH, document) == (400, message)


async def test_the_largest_post_and_the_largest_parser_go_together_and_no_more(api: Api) -> None:
    largest = build("payload = [];".ljust(65_536), "x" * (BODY_BYTES - 2))
    assert await api.post(PATH, largest) == NOTHING
    too_large = build("payload = [];", "x" * TRIAL_BYTES)
    assert await api.refuse("POST", PATH, too_large) == (413, f"The body must not be larger than {TRIAL_BYTES:,} bytes")


async def test_only_a_profile_tries_parsers(client: httpx.AsyncClient, create_device: CreateDevice) -> None:
    device = await create_device()
    for headers in ({}, device.headers):
        assert (await client.post(PATH, json=build("payload = [];"), headers=headers)).status_code == 401


async def test_trials_take_turns_so_that_devices_find_a_process(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    running: list[int] = []
    run = ParserPool.run

    async def note(self: ParserPool, *arguments: Any, **options: Any) -> Any:
        running.append(1)
        assert len(running) == 1
        try:
            return await run(self, *arguments, **options)
        finally:
            running.pop()

    monkeypatch.setattr(ParserPool, "run", note)
    assert await asyncio.gather(*(api.post(PATH, build("payload = [];")) for _ in range(5))) == [NOTHING] * 5


async def test_while_no_parser_can_be_run_it_is_503(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise ParsersUnavailableError("No parser process can be started")

    monkeypatch.setattr(ParserPool, "run", fail)
    assert await api.refuse("POST", PATH, build("x")) == (503, "No parser process can be started")
