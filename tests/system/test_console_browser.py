"""The console in a browser: the story of a new user, and every page looked at. Imports nothing of Sluice."""

import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.support.chromium import open_chromium
from tests.support.console import Running
from tests.support.roles import PROFILE_TOKEN
from tests.support.waiting import DEADLINE_SECONDS

pytestmark = pytest.mark.browser

expect.set_options(timeout=DEADLINE_SECONDS * 1_000)

WIDTHS = (1280, 390)
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010804000000b51c0c02"
    "0000000b4944415478da6364f80f00010501012718e3660000000049454e44ae426082"
)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    running = Running(tmp_path)
    yield running
    running.process.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with open_chromium() as browser:
        yield browser


@pytest.fixture
def page(chromium: Browser, running: Running) -> Iterator[Page]:
    """A page of somebody who has signed in; whatever the browser complains of fails the test."""
    context = chromium.new_context(base_url=running.url("console"))
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.set_default_timeout(DEADLINE_SECONDS * 1_000)
    sign_in(page)
    yield page
    context.close()
    assert complaints == []


def sign_in(page: Page) -> None:
    page.goto("/sign-in")
    page.get_by_label("Token of your profile").fill(PROFILE_TOKEN)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Overview", exact=True)).to_be_visible()


def create_network(page: Page, folder: Path) -> None:
    """Add a network by its name, then its serial rule with a preview, and an icon."""
    page.get_by_role("link", name="Networks").click()
    page.get_by_label("Name of a new network").fill("Field")
    page.get_by_role("button", name="Add network").click()
    page.get_by_label("Devices of this network have a serial number").check()
    page.get_by_label("Label", exact=True).first.fill("Device EUI")
    page.get_by_label("Format").fill("FF-FF-FF")
    page.get_by_label("Force case").select_option("upper")
    expect(page.locator("[data-example]")).to_have_text("000000")
    page.get_by_label("Try a serial").press_sequentially("a1-b2-c3")
    expect(page.get_by_text("Stored as A1B2C3")).to_be_visible()
    expect(page.get_by_label("Try a serial")).to_have_value("A1-B2-C3")
    icon = folder / "icon.png"
    icon.write_bytes(PNG)
    page.get_by_label("Upload an icon").set_input_files(icon)
    page.get_by_role("button", name="Save the network").click()
    expect(page.get_by_text("The network was saved")).to_be_visible()
    assert page.locator("h1 img").evaluate("image => image.complete && image.naturalWidth") == 1


def create_device(page: Page) -> None:
    """Create a connector for the network, and a device, whose serial is looked at while it is typed."""
    page.get_by_role("link", name="Connectors").click()
    page.get_by_label("Name of a new connector").fill("Probe")
    page.get_by_label("For the network").select_option("Field")
    page.get_by_role("button", name="Add connector").click()
    page.get_by_role("link", name="Devices").click()
    page.get_by_role("link", name="Add device").click()
    page.get_by_label("By which network does it come?").select_option("Field")
    page.get_by_role("button", name="Continue").click()
    page.get_by_label("Name").fill("Probe 1")
    page.get_by_label("Device EUI").press_sequentially("a1-b2-cg")
    expect(page.get_by_text("which must be a hexadecimal digit")).to_be_visible()
    page.get_by_label("Device EUI").press("Backspace")
    page.get_by_label("Device EUI").press_sequentially("3")
    expect(page.get_by_text("Stored as A1B2C3")).to_be_visible()
    page.get_by_role("button", name="Create the device").click()
    expect(page.get_by_text("Nothing has come from this device yet")).to_be_visible()


def create_key(page: Page) -> str:
    """Create a key, test a body with it, and give it."""
    page.get_by_role("link", name="Keys").click()
    page.get_by_label("Name of a new key").fill("Gateway")
    page.get_by_label("What is sent comes by").select_option("Field")
    page.get_by_label("Additional Parameter").fill("serial=devaddr")
    page.get_by_role("button", name="Create key").click()
    key = page.locator("code.secret").inner_text()
    page.get_by_label("Body of a request").fill('{"devaddr": "a1b2c3", "level": 5}')
    page.get_by_role("button", name="Test", exact=True).click()
    expect(page.get_by_text("Answered 202: 1 uplink accepted")).to_be_visible()
    expect(page.get_by_role("cell", name="level")).to_be_visible()
    expect(page.locator("code.secret")).to_have_count(0)
    return key


def test_a_new_user_comes_from_nothing_to_data(running: Running, page: Page, tmp_path: Path) -> None:
    create_network(page, tmp_path)
    create_device(page)
    key = create_key(page)

    page.get_by_role("link", name="Live").click()
    expect(page.get_by_text("Watching")).to_be_visible()
    expect(page.get_by_text("Nothing has happened since")).to_be_visible()
    poll(lambda: running.send(key, {"devaddr": "a1b2c3", "level": 5}) == 202)
    running.send(key, {"devaddr": "a1b2c3", "level": 7})
    running.send(key, {"devaddr": "ffffff", "level": 1})
    expect(page.get_by_role("row").filter(has_text="posted").filter(has_text="a1b2c3").first).to_be_visible()
    dead = page.get_by_role("row").filter(has_text="serial_unknown")
    expect(dead).to_be_visible()
    dead.get_by_role("button").click()
    story = page.locator("[data-story-events] li")
    expect(story.filter(has_text="accepted")).to_contain_text('"devaddr": "ffffff"')
    expect(story.filter(has_text="dead")).to_contain_text("serial_unknown")
    page.get_by_role("button", name="Pause").click()
    running.send(key, {"devaddr": "a1b2c3", "level": 9})
    expect(page.get_by_text(re.compile(r"Paused, \d+ wait"))).to_be_visible()

    page.get_by_role("link", name="Devices").click()
    page.get_by_role("link", name="Probe 1").click()
    page.locator("svg.plot").first.wait_for()
    expect(page.get_by_role("cell", name="level").first).to_be_visible()
    assert "UTC" not in page.locator("td time").first.inner_text()
    assert page.locator("td time").first.get_attribute("title")

    page.get_by_role("link", name="Dead letters").click()
    page.get_by_role("link", name="serial_unknown", exact=True).click()
    page.get_by_role("link", name=re.compile("Purge these 1")).click()
    page.get_by_label("Give up 1 uplink for good").check()
    page.get_by_role("button", name="Purge").click()
    expect(page.get_by_text("1 of 1 were purged. It is over")).to_be_visible()
    page.get_by_role("link", name="Dead letters").first.click()
    expect(page.get_by_text("There is no dead letter")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_the_keyboard_alone_leads_from_the_sign_in_to_a_network(page: Page) -> None:
    page.goto("/networks")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the page")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Name of a new network")).to_be_focused()
    page.keyboard.type("By keyboard")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="By keyboard")).to_be_visible()


def test_without_javascript_everything_but_what_is_live_works(chromium: Browser, running: Running) -> None:
    context = chromium.new_context(base_url=running.url("console"), java_script_enabled=False)
    page = context.new_page()
    sign_in(page)
    page.goto("/networks")
    page.get_by_label("Name of a new network").fill("Plain")
    page.get_by_role("button", name="Add network").click()
    expect(page.get_by_role("heading", name="Plain")).to_be_visible()
    expect(page.locator("time").first).to_contain_text("UTC")
    expect(page.get_by_label("Try a serial")).to_be_hidden()
    page.goto("/live")
    expect(page.get_by_text("sluice tail")).to_be_visible()
    context.close()


def test_every_page_is_fit_for_everybody_at_both_widths_and_in_both_themes(
    chromium: Browser, running: Running, page: Page, tmp_path: Path
) -> None:
    """axe-core finds nothing, nothing is wider than the screen, and each page is there as a picture to be looked at."""
    pictures = Path(os.environ.get("SCREENSHOTS", tmp_path / "screenshots"))
    pictures.mkdir(parents=True, exist_ok=True)
    addresses = {
        "overview-empty": "/",
        "dead-letters-empty": "/dead",
        "devices-empty": "/devices",
        "keys-empty": "/keys",
    }
    look_at(chromium, running, addresses, pictures)
    create_network(page, tmp_path)
    create_device(page)
    device = page.url.rpartition("/")[2]
    key = create_key(page)
    key_id = page.url.rpartition("/keys/")[2].partition("/")[0]
    poll(lambda: running.send(key, [{"devaddr": "a1b2c3", "level": n, "temperature": 20 + n} for n in range(9)]) == 202)
    running.send(key, {"devaddr": "ffffff"})
    page.goto("/dead")
    poll(lambda: page.reload() and page.get_by_role("link", name="serial_unknown", exact=True).count())
    letter = page.locator("a[href^='/dead/letters/']").get_attribute("href")
    page.goto("/networks")
    network = page.get_by_role("link", name="Field").get_attribute("href")
    page.goto("/connectors")
    connector = page.get_by_role("link", name="Probe").get_attribute("href")
    assert letter
    assert network
    assert connector
    addresses = {
        "overview": "/", "live": "/live", "networks": "/networks", "network": network,
        "network-remove": f"{network}/remove",
        "connectors": "/connectors", "connector": connector, "devices": "/devices", "device": f"/devices/{device}",
        "device-new": f"/devices/new?network={network.rpartition('/')[2]}", "device-network": "/devices/new",
        "keys": "/keys", "key": f"/keys/{key_id}", "dead-letters": "/dead", "dead-letter": letter,
        "dead-replay": "/dead/replay?", "dead-purge": "/dead/purge?",
    }  # fmt: skip
    look_at(chromium, running, addresses, pictures)


def look_at(chromium: Browser, running: Running, addresses: dict[str, str], pictures: Path) -> None:
    problems = []
    for theme in THEMES:
        for width in WIDTHS:
            context = chromium.new_context(
                base_url=running.url("console"), viewport={"width": width, "height": 900}, color_scheme=theme
            )
            page = context.new_page()
            page.goto("/sign-in")
            problems += inspect_page(page, "sign-in", width)
            page.screenshot(path=pictures / f"sign-in-{width}-{theme}.png", full_page=True)
            sign_in(page)
            for name, address in addresses.items():
                page.goto(address)
                page.locator("html.scripted").wait_for()
                problems += inspect_page(page, f"{name} {theme}", width)
                page.screenshot(path=pictures / f"{name}-{width}-{theme}.png", full_page=True)
            context.close()
    assert problems == []


def inspect_page(page: Page, name: str, width: int) -> list[str]:
    """Give what axe-core finds, and by how much the page is too wide."""
    violations = Axe().run(page).response["violations"]
    problems = [f"{name} at {width}: {each['id']} {each['nodes'][0]['target']}" for each in violations]
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return problems + ([f"{name} at {width}: {overflow} pixels too wide"] if overflow else [])


def poll(condition: Callable[[], object]) -> None:
    """Wait until a condition holds that asks a process: the browser's API leaves no room for a coroutine."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come to hold"
