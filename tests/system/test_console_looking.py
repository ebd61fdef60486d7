"""Looking at the console: the inspector's filter, local times, states of pages, the keyboard. No Sluice imported."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import reduce
from itertools import product
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.chromium import inspect_page, poll, sign_in
from tests.support.console import Running
from tests.support.roles import PROFILE_TOKEN

pytestmark = pytest.mark.browser

THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")

KOLKATA = "Asia/Kolkata"
"""Half an hour off UTC, and that all year: no time there can be taken for one in UTC."""


class Site(NamedTuple):
    """A network with one device, and a key that a gateway sends with."""

    network: str
    key: str
    token: str
    serial: str

    def send(self, running: Running, serial: str | None = None) -> bool:
        """Send an uplink of its device, or of another, and say whether it was taken."""
        return running.send(self.token, {"serial": serial or self.serial, "level": 5}) == 202


@pytest.fixture
def registry(running: Running) -> Iterator[httpx.Client]:
    headers = {"Token": PROFILE_TOKEN}
    with httpx.Client(base_url=running.url("registry"), headers=headers, timeout=30) as client:
        yield client


def create(registry: httpx.Client, path: str, **document: object) -> Any:
    return registry.post(path, json=document).raise_for_status().json()["result"]


def create_site(registry: httpx.Client, name: str, serial: str) -> Site:
    rule = {"label": "Device EUI", "mask": "FF-FF-FF", "case": "upper"}
    network = create(registry, "/integration/network", name=name, serial_number=rule)["network"]
    connector = create(registry, "/integration/connector", name=name, networks=[network])["connector"]
    create(registry, "/device", name=name, network=network, connector=connector, serie_number=serial)
    key = create(registry, "/serviceauth", name=name, network=network)
    return Site(network, key["id"], key["token"], serial)


@pytest.fixture
def north(registry: httpx.Client) -> Site:
    return create_site(registry, "North", "A1B2C3")


def find_rows(live: Page, *texts: str) -> Locator:
    """Give the rows of the inspector that hold all of these texts."""
    return reduce(lambda rows, text: rows.filter(has_text=text), texts, live.locator("[data-events] tr"))


def watch(live: Page) -> None:
    live.goto("/live")
    expect(live.get_by_text("Watching")).to_be_visible()


def filter_by(live: Page, label: str, value: str) -> None:
    """Fill one field of the filter and submit it, and see that the address and the form then hold it alone."""
    live.bring_to_front()  # a page behind another one draws once a second
    watch(live)
    field = live.get_by_label(label, exact=True)
    name = field.get_attribute("name")
    (field.select_option if name in ("stage", "reason") else field.fill)(value)
    live.get_by_role("button", name="Filter").click()
    expect(live.get_by_role("link", name="Show all")).to_be_visible()
    expect(live.get_by_text("Watching")).to_be_visible()
    expect(field).to_have_value(value)
    assert {each: held for each, held in httpx.URL(live.url).params.items() if held} == {name: value}


def tab_to(page: Page, place: Locator) -> None:
    """Go on by the tabulator until this has the focus."""
    for _ in range(60):
        if place.evaluate("place => place === document.activeElement"):
            return
        page.keyboard.press("Tab")
    pytest.fail("the tabulator does not lead there")


def look(page: Page, name: str) -> list[str]:
    """Give what is wrong with a page as it stands now, at both widths and in both themes."""
    problems = []
    for theme, width in product(THEMES, (1280, 390)):
        page.emulate_media(color_scheme=theme)
        page.set_viewport_size({"width": width, "height": 900})
        problems += inspect_page(page, f"{name} {theme}", width)
    return problems


def test_only_what_fits_the_form_appears(running: Running, page: Page, registry: httpx.Client, north: Site) -> None:
    south = create_site(registry, "South", "D4E5F6")
    everything = page.context.new_page()
    watch(everything)
    poll(lambda: south.send(running))
    poll(lambda: north.send(running))
    expect(find_rows(everything, "posted")).to_have_count(2)
    wanted = (("Key", north.key), ("Serial", "a1-b2-c3"), ("Network", north.network))
    for sent, (label, value) in enumerate(wanted, 2):
        filter_by(page, label, value)
        assert south.send(running)
        expect(find_rows(everything, "posted", south.serial)).to_have_count(sent)
        assert north.send(running)
        expect(find_rows(page, "posted", north.serial)).to_have_count(1)
        assert [row for row in find_rows(page).all_inner_texts() if north.serial not in row.upper()] == []


def test_only_the_outcome_of_the_form_appears_and_its_story_is_whole(running: Running, page: Page, north: Site) -> None:
    everything = page.context.new_page()
    watch(everything)
    poll(lambda: north.send(running))
    expect(find_rows(everything, "posted")).to_have_count(1)

    filter_by(page, "Stage or outcome", "dead")
    assert north.send(running)
    expect(find_rows(everything, "posted")).to_have_count(2)
    assert north.send(running, "FFFFFF")
    expect(find_rows(page, "dead", "FFFFFF")).to_have_count(1)
    expect(find_rows(page)).to_have_count(1)
    find_rows(page).get_by_role("button").click()
    steps = page.locator("[data-story-steps] li")
    expect(steps.first).to_contain_text("accepted")
    expect(steps.last).to_contain_text("dead")
    expect(page.locator("[data-story-gaps] li")).to_have_count(0)

    filter_by(page, "Reason", "serial_malformed")
    assert north.send(running)
    assert north.send(running, "FFFFFF")
    expect(find_rows(everything, "serial_unknown")).to_have_count(2)
    assert north.send(running, "nobody's")
    expect(find_rows(page, "dead", "serial_malformed")).to_have_count(1)
    assert [row for row in find_rows(page).all_inner_texts() if "serial_malformed" not in row] == []


def test_times_are_local_and_the_exact_one_is_on_hover(
    chromium: Browser, running: Running, registry: httpx.Client, north: Site
) -> None:
    network = registry.get(f"/integration/network/{north.network}").raise_for_status().json()["result"]
    created = datetime.fromisoformat(network["created_at"]).astimezone(UTC)
    with chromium.new_context(base_url=running.url("console"), timezone_id=KOLKATA, locale="de-DE") as context:
        page = context.new_page()
        sign_in(page)
        page.goto("/networks")
        time = page.get_by_role("row").filter(has_text="North").locator("time")
        expect(time).to_have_text(f"{created.astimezone(ZoneInfo(KOLKATA)):%d.%m.%Y, %H:%M:%S}")
        expect(time).to_have_attribute("title", f"{created:%Y-%m-%dT%H:%M:%S}.{created.microsecond // 1_000:03}Z")

        watch(page)
        poll(lambda: north.send(running))
        time = find_rows(page, "posted").locator("time")
        title = time.get_attribute("title") or ""
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,6}Z", title)
        happened = datetime.fromisoformat(title).astimezone(ZoneInfo(KOLKATA))
        expect(time).to_have_text(f"{happened:%H:%M:%S},{happened.microsecond // 1_000:03}")


def test_what_is_refused_is_fit_for_everybody(
    chromium: Browser, running: Running, registry: httpx.Client, north: Site
) -> None:
    """And the welcome, for a profile that the overview is not shown to."""
    token = create(registry, "/profile", name="Mill")["token"]
    with chromium.new_context(base_url=running.url("console")) as context:
        page = context.new_page()
        problems = []
        for typed, said in (("p-of-nobody", "Nobody has this token"), (token, "Welcome")):
            page.goto("/sign-in")
            page.get_by_label("Token of your profile").fill(typed)
            page.get_by_role("button", name="Sign in").click()
            expect(page.locator("[role=alert], h1").last).to_have_text(said)
            problems += look(page, said)
        sign_in(page)
        for address in ("/nowhere", f"/networks/{north.key}"):
            page.goto(address)
            expect(page.get_by_role("heading", name="404")).to_be_visible()
            problems += look(page, f"404 of {address}")
        page.goto(f"/keys/{north.key}")
        page.get_by_label("Ends at").fill("tomorrow")
        page.get_by_role("button", name="Save the key").click()
        expect(page.locator("[aria-invalid=true] ~ .fault")).to_be_visible()
        problems += look(page, "key with a fault")
    assert problems == []


@pytest.mark.usefixtures("north")
def test_what_is_shown_for_a_moment_is_fit_for_everybody(running: Running, page: Page) -> None:
    page.goto("/keys")
    page.get_by_label("Name of a new key").fill("Gateway")
    page.get_by_label("What is sent comes by").select_option("North")
    page.get_by_role("button", name="Create key").click()
    expect(page.locator("code.secret")).to_have_count(2)
    token = page.locator("code.secret").first.inner_text()
    problems = look(page, "fresh key")
    for body, result in (('{"serial": "a1b2c3", "level": 5}', "Answered 202"), ("{", "Answered 400")):
        page.get_by_label("Body of a request").fill(body)
        page.get_by_role("button", name="Test", exact=True).click()
        expect(page.get_by_text(result)).to_be_visible()
        problems += look(page, f"tester: {result}")
    watch(page)
    poll(lambda: running.send(token, {"serial": "a1b2c3", "level": 5}) == 202)
    find_rows(page, "posted").get_by_role("button").click()
    expect(page.locator("[data-story-steps] li")).to_have_count(4)
    problems += look(page, "live with a story")
    assert problems == []


def test_the_keyboard_alone_pauses_and_opens_a_story(running: Running, page: Page, north: Site) -> None:
    watch(page)
    poll(lambda: north.send(running))
    expect(find_rows(page, north.serial)).to_have_count(4)
    tab_to(page, page.get_by_role("button", name="Pause"))
    page.keyboard.press("Enter")
    expect(page.get_by_text("Paused")).to_be_visible()
    assert north.send(running)
    expect(page.get_by_text(re.compile("^4 came since"))).to_be_visible()
    expect(find_rows(page, north.serial)).to_have_count(4)
    expect(page.get_by_role("button", name="Go on")).to_be_focused()
    page.keyboard.press("Space")
    expect(find_rows(page, north.serial)).to_have_count(8)
    opener = find_rows(page, "posted").first.get_by_role("button")
    tab_to(page, opener)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=f"Story of {opener.inner_text()}")).to_be_focused()
    expect(page.locator("[data-story-steps] li")).to_have_count(4)
