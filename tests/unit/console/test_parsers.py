"""Payload parsers: run on a sample as they are typed, and saved, each against a real registry."""

import base64

import pytest

from console.parsers import SHOWN_RECORDS
from registry.first_start import FirstStart
from tests.unit.console.browser import Browser, read_text
from tests.unit.registry.api import Api

DECODER = """
const raw = payload.find((x) => x.variable === 'payload');
const offset = device.params.find((p) => p.key === 'offset');
console.log('<b>port</b>', payload[1].value);
payload = [{ variable: 'Temperature', value: parseInt(raw.value, 16) / 10 + Number(offset.value), unit: '°C',
             time: '2026-11-21T12:00:00Z', metadata: { a: 1 } }];
"""
SAMPLE = '[{"variable": "payload", "value": "00eb"}, {"variable": "port", "value": 2}]'


@pytest.fixture(params=["network", "connector", "device"])
def whose(request: pytest.FixtureRequest) -> str:
    """Whose parser it is."""
    kind: str = request.param
    return kind


@pytest.fixture
async def place(whose: str, first: FirstStart, api: Api) -> tuple[str, str]:
    """Where its page is, and where the API has it."""
    new = {"name": "Probe", "network": first.network_id, "connector": first.connector_id, "serie_number": "A1"}
    device_id = (await api.create("/device", **new))["device_id"]
    return {
        "network": (f"/networks/{first.network_id}", f"/integration/network/{first.network_id}"),
        "connector": (f"/connectors/{first.connector_id}", f"/integration/connector/{first.connector_id}"),
        "device": (f"/devices/{device_id}", f"/device/{device_id}"),
    }[whose]


async def run(browser: Browser, page: str, status: int = 200, **fields: str) -> str:
    """Run what was typed, and give the page that shows what came of it."""
    path = f"{page}/parser"
    response = await browser.submit(f"{path}/run", on=path, **fields)
    assert response.status_code == status, read_text(response.text)
    return response.text


async def test_what_was_typed_is_run_shown_and_kept_and_nothing_of_it_is_saved(
    browser: Browser, api: Api, place: tuple[str, str]
) -> None:
    page, path = place
    before = await api.get(path)
    shown = await run(browser, page, parser=DECODER, sample=SAMPLE, params="offset=0.5")
    text = read_text(shown)
    assert "1 record " in text
    assert "temperature 24 °C" in text
    assert '{"metadata":{"a":1}}' in text
    assert "log <b>port</b> 2" in text
    assert "<b>" not in shown
    assert 'datetime="2026-11-21T12:00:00.000Z"' in shown
    assert "const offset = device.params.find" in shown
    assert "offset=0.5</textarea>" in shown
    assert await api.get(path) == before


async def test_a_failure_is_shown_with_its_line_and_what_was_said_before_it(
    browser: Browser, place: tuple[str, str], whose: str
) -> None:
    shown = await run(browser, place[0], parser=DECODER, sample=SAMPLE, params="")
    column = DECODER.strip().split("\n")[3].index("offset.value") + len("offset.v")
    problem = f"line 4, column {column}: TypeError: Cannot read properties of undefined (reading 'value')"
    assert f"{whose} parser, {problem}" in read_text(shown)
    assert "<mark>value), unit:" in shown
    assert "log <b>port</b> 2" in read_text(shown)
    indented = await run(browser, place[0], parser="if (true) {\n\tpayload = none;\n}", sample=SAMPLE, params="")
    assert "\t<mark>payload = none;</mark>" in indented
    broken = await run(browser, place[0], parser="payload = ;", sample=SAMPLE, params="")
    assert "line 1, column 11: SyntaxError: Unexpected token" in read_text(broken)


async def test_a_parser_is_saved_checked_and_removed(browser: Browser, api: Api, place: tuple[str, str]) -> None:
    page, path = place
    assert "Write a parser" in await browser.open(page)
    saved = await browser.submit(f"{page}/parser", on=f"{page}/parser", parser="payload = [];\r\n// two")
    assert "The payload parser was saved" in read_text(saved.text)
    assert base64.b64decode((await api.get(path))["payload_decoder"]) == b"payload = [];\n// two\n"
    assert "2 lines of JavaScript" in read_text(await browser.open(page))

    refused = await browser.submit(f"{page}/parser", on=f"{page}/parser", parser="payload = ;", sample="kept")
    assert (refused.status_code, 'id="parser-fault"' in refused.text) == (400, True)
    assert "line 1, column 11: SyntaxError" in read_text(refused.text)
    assert "payload = ;</textarea>" in refused.text
    assert "kept</textarea>" in refused.text

    await browser.submit(f"{page}/parser", on=f"{page}/parser", parser=" ")
    assert (await api.get(path))["payload_decoder"] is None


@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        (
            {"sample": '[{"variable": }]'},
            "sample",
            "it is no JSON: unexpected character, expected a JSON value, line 1, column 15",
        ),
        ({"params": "offset"}, "params", "'offset' must be KEY=VALUE"),
        ({"params": f"{'k' * 101}=1"}, "params", "String should have at most 100 characters"),
        ({"parser": " " + "x" * 65_536}, "parser", "at most 65,536 are taken"),
    ],
)
async def test_what_cannot_be_run_is_said_at_its_field(
    browser: Browser, first: FirstStart, fields: dict[str, str], field: str, said: str
) -> None:
    typed = {"parser": "payload = [];", "sample": SAMPLE, "params": ""} | fields
    shown = await run(browser, f"/networks/{first.network_id}", 400, **typed)
    assert f'id="{field}-fault"' in shown
    assert said in read_text(shown)


async def test_text_is_a_sample_as_well_and_what_a_network_s_parser_sets_is_shown(
    browser: Browser, first: FirstStart
) -> None:
    parser = "serial = payload; payload = [];"
    shown = read_text(await run(browser, f"/networks/{first.network_id}", parser=parser, sample="A1;7", params=""))
    assert "serial: A1;7" in shown
    assert "0 records: nothing is stored, and nothing is wrong" in shown


async def test_records_that_would_be_refused_are_shown_with_the_reason(browser: Browser, first: FirstStart) -> None:
    page = f"/networks/{first.network_id}"
    parser = "payload = [{ variable: 'a b', value: 1, time: 'soon' }];"
    shown = read_text(await run(browser, page, parser=parser, sample=SAMPLE, params=""))
    assert "Record 0: variable must be" in shown
    assert '{"time":"soon"}' in shown
    many = "payload = Array.from({ length: 300 }, (_, n) => ({ variable: 'v' + n, value: n }));"
    shown = read_text(await run(browser, page, parser=many, sample=SAMPLE, params=""))
    assert "300 records" in shown
    assert f"The first {SHOWN_RECORDS} are shown" in shown
    assert "v299" not in shown


async def test_a_sample_sees_the_device_and_begins_with_its_params(
    browser: Browser, api: Api, first: FirstStart
) -> None:
    asked = [{"name": "offset", "type": "number", "default": "5"}, {"name": "note", "type": "text"}]
    await api.put(f"/integration/network/{first.network_id}", device_parameters=asked)
    assert "\noffset=5</textarea>" in await browser.open(f"/networks/{first.network_id}/parser")
    new = {"name": "Probe", "network": first.network_id, "connector": first.connector_id, "serie_number": "A1"}
    tags = [{"key": "room", "value": "7"}]
    params = [{"key": "own", "value": "x"}]
    device = (await api.create("/device", **new, tags=tags, configuration_params=params))["device_id"]
    page = f"/devices/{device}"
    assert "\nown=x\noffset=5</textarea>" in await browser.open(f"{page}/parser")
    parser = "payload = [{ variable: 'v', value: device.id + device.tags[0].value + device.params[0].value }];"
    assert f"v {device}7y" in read_text(await run(browser, page, parser=parser, sample=SAMPLE, params="own=y"))


async def test_nobody_sees_or_runs_a_parser_of_another_profile_s(
    browser: Browser, other: Browser, api: Api, first: FirstStart
) -> None:
    path = f"/networks/{first.network_id}/parser"
    await api.put(f"/integration/network/{first.network_id}", payload_decoder=base64.b64encode(b"// ours").decode())
    assert "// ours" in await browser.open(path)
    await other.open(path, 404)
    profile = next(each for each in await api.get("/profile") if each["name"] == "Other")
    await api.post(f"/integration/network/{first.network_id}/share", {"profile": profile["id"]})
    assert "// ours" not in await other.open(path, 403)
    assert (await other.submit(path, parser="payload = [];")).status_code == 403
    assert (await other.submit(f"{path}/run", parser="payload = [];")).status_code == 403
