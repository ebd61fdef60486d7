"""A device in a browser: what it is asked for, how its payloads are read, what it sent. Imports nothing of Sluice."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.support.chromium import inspect_page
from tests.support.console import Running
from tests.support.roles import PROFILE_TOKEN

pytestmark = pytest.mark.browser

WIDTHS = (1280, 390)

DECODER = """const raw = payload.find((x) => x.variable === "payload");
console.log("raw", raw.value);
payload = [{ variable: "temperature", value: parseInt(raw.value.slice(0, 4), 16) / 10, unit: "°C" }];"""


class Registry:
    """The registry's API, asked by the administrator's profile."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def create(self, path: str, **document: Any) -> Any:
        return self._client.post(path, json=document).raise_for_status().json()["result"]

    def post(self, device: str, *records: Any) -> None:
        self._client.post(f"/device/{device}/data", json=records).raise_for_status()

    def get(self, path: str) -> Any:
        return self._client.get(path).raise_for_status().json()["result"]


@pytest.fixture
def registry(running: Running) -> Iterator[Registry]:
    headers = {"Token": PROFILE_TOKEN}
    with httpx.Client(base_url=running.url("registry"), headers=headers, timeout=30) as client:
        yield Registry(client)


@pytest.fixture
def network(registry: Registry) -> str:
    """A network with a rule for serials, without parameters."""
    rule = {"label": "Device EUI", "mask": "FF-FF-FF", "case": "upper"}
    created: str = registry.create("/integration/network", name="Field", serial_number=rule)["network"]
    return created


@pytest.fixture
def device(registry: Registry, network: str) -> str:
    connector = registry.create("/integration/connector", name="Probe", networks=[network])["connector"]
    new = {"name": "Probe 1", "network": network, "connector": connector, "serie_number": "A1B2C3"}
    created: str = registry.create("/device", **new)["device_id"]
    return created


def check(page: Page, name: str) -> None:
    """Look for what keeps anybody from using the page, as it stands now, at both widths."""
    problems = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        problems += inspect_page(page, name, width)
    assert problems == []


def test_a_parser_is_written_run_on_a_sample_and_saved(page: Page, registry: Registry, network: str) -> None:
    page.goto(f"/networks/{network}")
    page.get_by_role("link", name="Write a parser").click()
    page.get_by_label("JavaScript").fill(DECODER.replace("slice", "slize"))
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_text("line 3, column 65: TypeError: raw.value.slize is not a function")).to_be_visible()
    expect(page.locator("mark")).to_contain_text('slize(0, 4), 16) / 10, unit: "°C" }];')
    expect(page.get_by_label("JavaScript")).to_have_value(DECODER.replace("slice", "slize"))
    check(page, "failed")

    page.get_by_label("JavaScript").fill(DECODER)
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_role("row").filter(has_text="temperature")).to_contain_text("23.5")
    expect(page.get_by_text("raw 00eb24")).to_be_visible()
    expect(page.get_by_role("heading", name="What it makes of it")).to_be_in_viewport()
    check(page, "run")
    assert registry.get(f"/integration/network/{network}")["payload_decoder"] is None

    page.get_by_role("button", name="Save the parser").click()
    expect(page.get_by_text("The payload parser was saved")).to_be_visible()
    expect(page.get_by_label("JavaScript")).to_have_value(f"{DECODER}\n")
    page.get_by_role("link", name="Field").click()
    expect(page.get_by_text("It has 3 lines of JavaScript")).to_be_visible()


def test_parameters_are_previewed_while_they_are_typed_and_then_asked_for(
    page: Page, network: str, device: str
) -> None:
    page.goto(f"/networks/{network}")
    parameter = page.get_by_role("group", name="A further parameter")
    parameter.get_by_label("Name", exact=True).fill("mode")
    parameter.get_by_label("Label", exact=True).fill("Mode of work")
    expect(parameter.get_by_label("Options of a dropdown")).to_be_hidden()
    parameter.get_by_label("Type").select_option("dropdown")
    parameter.get_by_label("Options of a dropdown").fill("a=First\nb=Second")
    parameter.get_by_label("Default").fill("b")
    preview = page.get_by_role("group", name="Preview").get_by_label("Mode of work")
    expect(preview).to_have_value("b")
    preview.select_option("First")
    expect(preview).to_have_value("a")  # what is tried there changes nothing
    check(page, "preview")
    page.get_by_role("button", name="Save the network").click()
    expect(page.get_by_text("The network was saved")).to_be_visible()

    page.goto(f"/devices/{device}")
    page.get_by_label("Mode of work").select_option("Second")
    page.get_by_role("group", name="A further param").get_by_label("Key").fill("offset")
    page.get_by_role("group", name="A further param").get_by_label("Value").fill("0.5")
    page.get_by_role("button", name="Save the device").click()
    expect(page.get_by_text("The device was saved")).to_be_visible()
    expect(page.get_by_label("Mode of work")).to_have_value("b")
    expect(page.get_by_role("group", name="Param offset").get_by_label("Value")).to_have_value("0.5")
    check(page, "params")


def test_the_hyphens_of_a_serial_come_by_themselves(page: Page, network: str, device: str) -> None:
    page.goto(f"/devices/new?network={network}")
    serial = page.get_by_label("Device EUI")
    serial.press_sequentially("0a1b2")
    expect(serial).to_have_value("0A-1B-2")
    serial.press("Backspace")
    serial.press("Backspace")
    serial.press("Backspace")
    expect(serial).to_have_value("0A-1")
    serial.press_sequentially("b-2-c-3")
    expect(serial).to_have_value("0A-1B-2C3")
    expect(page.get_by_text("has 7 characters (hyphens not counted), not 6")).to_be_visible()
    serial.press("Backspace")
    expect(page.get_by_text("Stored as 0A1B2C")).to_be_visible()
    serial.press("Home")
    serial.press_sequentially("f")
    expect(serial).to_have_value("F0A-1B-2C")  # in the middle nothing jumps away from the cursor
    page.goto(f"/devices/{device}")
    page.get_by_label("Device EUI").fill("a1b2c4")
    expect(page.get_by_text("Stored as A1B2C4")).to_be_visible()


def test_a_file_that_is_too_large_is_told_before_it_is_sent(page: Page, network: str) -> None:
    page.goto(f"/networks/{network}")
    icon = page.get_by_label("Upload an icon")
    icon.set_input_files({"name": "icon.png", "mimeType": "image/png", "buffer": b"x" * 1_048_577})
    page.get_by_role("button", name="Save the network").click()
    assert "at most 1,048,576 are taken" in icon.evaluate("input => input.validationMessage")
    icon.set_input_files([])
    page.get_by_role("button", name="Save the network").click()
    expect(page.get_by_text("The network was saved")).to_be_visible()


def test_a_token_and_what_is_refused_are_told_where_they_were_asked_for(page: Page, network: str) -> None:
    page.goto(f"/networks/{network}")
    page.get_by_label("Name of a further token").fill("Gateway")
    page.get_by_role("button", name="Create a token").click()
    expect(page.locator("#tokens code.secret")).to_be_in_viewport()
    page.get_by_label("Id of the other profile").fill("nobody")
    page.get_by_role("button", name="Share").click()
    expect(page.locator("#sharing").get_by_role("alert")).to_be_in_viewport()
    check(page, "refused share")


def test_the_data_of_a_period_is_drawn_and_paged(page: Page, registry: Registry, device: str) -> None:
    now = datetime.now(UTC)
    registry.post(
        device,
        *({"variable": "level", "value": n, "time": (now - timedelta(minutes=n)).isoformat()} for n in range(100)),
    )
    page.goto(f"/devices/{device}")
    expect(page.get_by_text("100 records of the last 24 hours.")).to_be_visible()
    expect(page.locator("svg.plot")).to_have_count(1)
    page.get_by_role("link", name="Next").click()
    expect(page.get_by_role("cell", name="99", exact=True)).to_be_visible()
    page.get_by_role("link", name="Last hour").click()
    expect(page.get_by_text("60 records of the last hour.")).to_be_visible()
    check(page, "data")
