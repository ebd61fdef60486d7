"""What the console does not let a browser do: in another's name, and beyond one's rights. Imports nothing of Sluice."""

import re

import httpx
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.support.chromium import sign_in
from tests.support.console import Running
from tests.support.roles import PROFILE_TOKEN

pytestmark = pytest.mark.browser

FOREIGN = "http://elsewhere.example/"

TRAP = """<!doctype html><form method="post" action="{console}/networks">
<input name="name" value="Smuggled"><input name="form_token" value="guessed"><button>Win a prize</button></form>"""


@pytest.fixture
def visited(chromium: Browser, running: Running) -> Page:
    """A page of the administrator, who has signed in; what is refused is not complained of."""
    page = chromium.new_context(base_url=running.url("console")).new_page()
    sign_in(page)
    return page


def test_a_form_of_another_site_does_nothing_in_the_name_of_who_is_signed_in(running: Running, visited: Page) -> None:
    def serve_trap(route: Route) -> None:
        route.fulfill(content_type="text/html", body=TRAP.format(console=running.url("console")))

    visited.route(FOREIGN, serve_trap)
    visited.goto(FOREIGN)
    visited.get_by_role("button", name="Win a prize").click()
    expect(visited.get_by_role("heading", name="Sign in")).to_be_visible()  # the cookie did not come along
    visited.goto("/networks")
    expect(visited.get_by_role("heading", name="Networks")).to_be_visible()
    expect(visited.get_by_text("Smuggled")).to_have_count(0)


def test_a_form_without_the_token_of_its_session_is_refused(visited: Page) -> None:
    visited.goto("/networks")
    visited.locator("main [name=form_token]").first.evaluate("field => { field.value = 'guessed'; }")
    visited.get_by_label("Name of a new network").fill("Smuggled")
    visited.get_by_role("button", name="Add network").click()
    expect(visited.get_by_text("This form was not made by your session")).to_be_visible()
    visited.goto("/networks")
    expect(visited.get_by_text("Smuggled")).to_have_count(0)


def test_another_profile_sees_nothing_of_the_administrator_s(
    running: Running, chromium: Browser, visited: Page
) -> None:
    visited.goto("/networks")
    visited.get_by_label("Name of a new network").fill("Not yours")
    visited.get_by_role("button", name="Add network").click()
    expect(visited.get_by_role("heading", name="Not yours")).to_be_visible()
    headers = {"Token": PROFILE_TOKEN}
    created = httpx.post(f"{running.url('registry')}/profile", json={"name": "Other"}, headers=headers, timeout=30)
    page = chromium.new_context(base_url=running.url("console")).new_page()
    page.goto("/sign-in")
    page.get_by_label("Token of your profile").fill(created.raise_for_status().json()["result"]["token"])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Welcome")).to_be_visible()
    expect(page.get_by_role("link", name="Live")).to_have_count(0)
    for path in ("/live", "/live/events", "/dead", "/dead/replay", "/dead/purge"):
        page.goto(path)
        expect(page.get_by_text("This is for the administrator's profile")).to_be_visible()
    page.goto(visited.url)
    expect(page.get_by_text(re.compile("Not Found"))).to_be_visible()
    page.goto("/networks")
    expect(page.get_by_text("Not yours")).to_have_count(0)
