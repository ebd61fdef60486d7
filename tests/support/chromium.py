"""The browser that is installed on this machine, at the console; imports nothing of Sluice."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support.roles import PROFILE_TOKEN
from tests.support.waiting import DEADLINE_SECONDS

expect.set_options(timeout=DEADLINE_SECONDS * 1_000)

NAMES = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def open_chromium() -> Iterator[Browser]:
    """Start a browser, and end it. Skips the test where there is none."""
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("no Chromium (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        # Chromium's own sandbox does not run as root, as whom containers run their tests.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@contextmanager
def open_page(browser: Browser, url: str) -> Iterator[Page]:
    """Give a page of the console at this URL, of somebody who has signed in; what the browser complains of fails."""
    context = browser.new_context(base_url=url)
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


def poll(condition: Callable[[], object]) -> None:
    """Wait until a condition holds that asks a process: the browser's API leaves no room for a coroutine."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come to hold"


def inspect_page(page: Page, name: str, width: int) -> list[str]:
    """Give what axe-core finds, and by how much the page is too wide."""
    violations = Axe().run(page).response["violations"]
    problems = [f"{name} at {width}: {each['id']} {each['nodes'][0]['target']}" for each in violations]
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return problems + ([f"{name} at {width}: {overflow} pixels too wide"] if overflow else [])
