"""The console in a browser: the story of a new user, and every page looked at. Imports nothing of Sluice."""

import itertools
import json
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.chromium import inspect_page, poll, sign_in
from tests.support.console import Running

pytestmark = pytest.mark.browser

WIDTHS = (1280, 390)
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010804000000b51c0c02"
    "0000000b4944415478da6364f80f00010501012718e3660000000049454e44ae426082"
)


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


def create_key(page: Page) -> tuple[str, str]:
    """Create a key, and test a body with it; gives the key, and the line that sends an uplink with it."""
    page.get_by_role("link", name="Keys").click()
    page.get_by_label("Name of a new key").fill("Gateway")
    page.get_by_label("What is sent comes by").select_option("Field")
    page.get_by_label("Additional Parameter").fill("serial=devaddr")
    page.get_by_role("button", name="Create key").click()
    key, line = page.locator("code.secret").all_inner_texts()
    page.get_by_label("Body of a request").fill('{"devaddr": "a1b2c3", "level": 5}')
    page.get_by_role("button", name="Test", exact=True).click()
    expect(page.get_by_text("Answered 202: 1 uplink accepted")).to_be_visible()
    expect(page.get_by_role("cell", name="level")).to_be_visible()
    expect(page.locator("code.secret")).to_have_count(0)
    return key, line


def run_line(line: str) -> bool:
    """Run a line as somebody who has copied it from a page, and say whether the uplink was taken."""
    command = [*shlex.split(line), "--silent", "--show-error", "--max-time", "30", "--write-out", "%{http_code}"]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout.endswith("202")


def break_the_map(page: Page) -> None:
    page.get_by_role("link", name="Keys").click()
    page.get_by_role("link", name="Gateway").click()
    page.get_by_label("Additional Parameter", exact=True).fill("serial=level")
    page.get_by_role("button", name="Save the key").click()
    expect(page.get_by_text("The authorization key was saved")).to_be_visible()


def find_the_dead_letter(running: Running, page: Page, key: str) -> int:
    """Send until an uplink dies of the map, and go to its letter from where it is seen; gives its level."""
    page.get_by_role("link", name="Live").click()
    expect(page.get_by_text("Watching")).to_be_visible()
    dead = page.get_by_role("row").filter(has_text="serial_malformed")
    levels = itertools.count(101)
    poll(lambda: running.send(key, {"devaddr": "a1b2c3", "level": next(levels)}) == 202 and dead.count())
    dead.first.get_by_role("button").click()
    sent = page.get_by_role("region", name="This uplink").inner_text()
    page.get_by_role("link", name="Its dead letter").click()
    expect(page.get_by_role("heading", name="serial_malformed")).to_be_visible()
    level: int = json.loads(sent)["level"]
    return level


def mend_the_map(page: Page) -> None:
    """Try another map while it is typed, save it for its key, and replay the letter."""
    field = page.get_by_label("Additional Parameter")
    expect(page.get_by_text("dead letter, serial_malformed")).to_be_visible()
    field.fill("")
    field.press_sequentially("serial=devadr")
    expect(page.get_by_text("Answered 400 serial_missing")).to_be_visible()
    field.press("Backspace")
    field.press_sequentially("dr")
    expect(page.get_by_text("device of")).to_be_visible()
    assert inspect_page(page, "dead letter with another map", WIDTHS[0]) == []
    page.get_by_role("button", name="Save this map for the key Gateway").click()
    expect(page.get_by_text("The map of the key Gateway was saved")).to_be_visible()
    expect(field).to_have_value("serial=devaddr")
    page.get_by_role("button", name="Replay this letter").click()
    expect(page.get_by_text("Done: 1 of 1 replayed")).to_be_visible()


def test_letters_are_purged_after_a_question(running: Running, page: Page) -> None:
    page.get_by_role("link", name="Keys").click()
    page.get_by_label("Name of a new key").fill("Gateway")
    page.get_by_role("button", name="Create key").click()
    key = page.locator("code.secret").inner_text()
    poll(lambda: running.send(key, {"serial": "ffffff"}) == 202)
    page.get_by_role("link", name="Dead letters").click()
    reason = page.get_by_role("link", name="serial_unknown", exact=True)
    poll(lambda: page.reload() and reason.count())
    reason.click()
    page.get_by_role("link", name=re.compile("Purge 1 letter")).click()
    page.get_by_label("Give up 1 uplink for good").check()
    page.get_by_role("button", name="Purge").click()
    expect(page.get_by_text("Done: 1 of 1 purged")).to_be_visible()
    page.get_by_role("link", name="Dead letters").first.click()
    expect(page.get_by_text("There is no dead letter")).to_be_visible()


def test_a_new_user_comes_from_nothing_to_data(running: Running, page: Page, tmp_path: Path) -> None:
    create_network(page, tmp_path)
    create_device(page)
    key, line = create_key(page)
    page.get_by_role("link", name="Live").click()
    expect(page.get_by_text("Watching")).to_be_visible()
    expect(page.get_by_text("Nothing has happened since")).to_be_visible()
    poll(lambda: run_line(line))
    posted = page.get_by_role("row").filter(has_text="posted").filter(has_text="A1B2C3")
    expect(posted.first).to_be_visible()
    posted.first.get_by_role("button").click()
    expect(page.get_by_role("heading", name="Story of")).to_be_focused()
    expect(page.get_by_role("region", name="The request as it came")).to_contain_text('"devaddr": "A1B2C3"')
    steps = page.locator("[data-story-steps] li")
    for number, step in enumerate(("accepted", "mapped", "resolved", "posted")):
        expect(steps.nth(number)).to_contain_text(step)
    temperature = steps.nth(1).get_by_role("row").filter(has_text="temperature")
    expect(temperature.locator(".number")).to_have_text("21.5")
    expect(steps.nth(3)).to_contain_text("Data Added after")
    expect(page.locator("[data-story-gaps] li")).to_have_count(0)
    assert inspect_page(page, "live with a story", WIDTHS[0]) == []
    page.get_by_role("button", name="Pause").click()
    rows = page.locator("[data-events] tr")
    before = rows.count()
    running.send(key, {"devaddr": "a1b2c3", "level": 7})
    expect(page.get_by_text(re.compile(r"[1-9]\d* came since"))).to_be_visible()
    expect(rows).to_have_count(before)
    page.get_by_role("button", name="Go on").click()
    expect(rows.nth(before + 3)).to_be_visible()

    break_the_map(page)
    level = find_the_dead_letter(running, page, key)
    mend_the_map(page)

    page.get_by_role("link", name="Devices").click()
    page.get_by_role("link", name="Probe 1").click()
    poll(lambda: page.reload() and page.get_by_role("cell", name=str(level), exact=True).count())
    page.locator("svg.plot").first.wait_for()
    assert "UTC" not in page.locator("td time").first.inner_text()
    assert page.locator("td time").first.get_attribute("title")
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
    key, _ = create_key(page)
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
        "network-remove": f"{network}/remove", "network-parser": f"{network}/parser",
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
