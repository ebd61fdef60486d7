"""What holds for every page: nobody without a session, no form of another's, nothing from elsewhere, names as text."""

import re
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from starlette.routing import Route

from console.headers import CONTENT_SECURITY_POLICY
from console.service import Console
from registry.first_start import FirstStart
from tests.support.queues import FakeQueue
from tests.unit.console.browser import SIGN_IN, Browser
from tests.unit.registry.api import Api

OPEN = {SIGN_IN, "/healthz", "/readyz", "/metrics", "/file/{path:path}"}
"""What is there without a session; everything else is not."""

FOR_ADMINISTRATORS = re.compile(r"/(dead|live|overview)\b")

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7 * 7 }}"


def list_paths(console: Console, method: str) -> list[str]:
    """Give every path of the console that takes a method, with something in the place of each parameter."""
    app = console.app
    routes = [route for route in app.routes if isinstance(route, Route)]  # type: ignore[attr-defined]  # a Starlette
    paths = [route.path for route in routes if method in (route.methods or ()) and route.path not in OPEN]
    return [re.sub(r"\{\w+(:path)?\}", "6a1f0c52d3b19e4477aa01c9", path) for path in paths]


async def test_without_a_session_every_page_leads_to_the_sign_in(
    console: Console, open_browser: Callable[[], Browser]
) -> None:
    client = open_browser().client
    paths = list_paths(console, "GET")
    assert len(paths) > 20
    for path in paths:
        response = await client.get(path, follow_redirects=False)
        assert (response.status_code, response.headers["Location"]) == (303, SIGN_IN), path
    for path in list_paths(console, "POST"):
        response = await client.post(path, data={"name": "x"}, follow_redirects=False)
        assert (response.status_code, response.headers["Location"]) == (303, SIGN_IN), path


@pytest.mark.parametrize("token", [None, "", "wrong"])
async def test_no_form_is_taken_without_the_token_of_this_session(
    console: Console, browser: Browser, other: Browser, token: str | None
) -> None:
    paths = list_paths(console, "POST")
    assert len(paths) > 15
    foreign = await other.form_token()
    for path in paths:
        given = foreign if token == "wrong" else token
        data = {"name": "x"} | ({} if given is None else {"form_token": given})
        response = await browser.client.post(path, data=data)
        assert (response.status_code, "not made by your session" in response.text) == (403, True), path


async def test_what_is_of_every_profile_is_for_the_administrator_s(console: Console, other: Browser) -> None:
    token = await other.form_token()
    for method in ("GET", "POST"):
        paths = [path for path in list_paths(console, method) if FOR_ADMINISTRATORS.match(path)]
        assert paths
        for path in paths:
            response = await other.client.request(method, path, data={"form_token": token} if method == "POST" else {})
            assert response.status_code == 403, path
    assert "/dead" not in await other.open("/")


async def test_every_answer_has_a_policy_that_runs_and_loads_nothing_but_the_console_s_own(browser: Browser) -> None:
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    for path in ("/", "/networks", SIGN_IN, "/static/console.css", "/healthz", "/nothing", "/networks/nothing"):
        headers = (await browser.client.get(path)).headers
        assert headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY, path
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
    assert (await browser.client.get("/networks")).headers["Cache-Control"] == "no-store"


async def test_no_page_has_a_script_or_a_style_inside_or_anything_of_another_server(
    browser: Browser, first: FirstStart
) -> None:
    for path in ("/", "/networks", f"/networks/{first.network_id}", "/dead", "/live", "/keys", "/devices/new"):
        page = await browser.open(path)
        assert re.findall(r"<script(?![^>]*\bsrc=)", page) == []
        assert re.findall(r"<style|\sstyle=|\son\w+=", page) == []
        assert re.findall(r"(?:src|href|action)=\"(?:https?:)?//", page) == []


async def test_names_are_shown_as_they_are_and_never_as_markup(browser: Browser, api: Api) -> None:
    name = HOSTILE[:100]
    network = (await api.create("/integration/network", name=name, description=HOSTILE))["network"]
    connector = (await api.create("/integration/connector", name=name, networks=[network]))["connector"]
    device = await api.create("/device", name=name, network=network, connector=connector, serie_number="A<b>")
    key = await api.create("/serviceauth", name=name, network=network)
    await api.post(f"/device/{device['device_id']}/data", [{"variable": "text", "value": HOSTILE}])
    pages = [
        f"/networks/{network}",
        f"/connectors/{connector}",
        f"/devices/{device['device_id']}",
        f"/keys/{key['id']}",
    ]
    lists = ["/networks", "/connectors", "/devices", "/keys", "/devices/new", f"/devices/new?network={network}"]
    parsers = [f"{page}/parser" for page in pages[:3]]
    for path in (*pages, *lists, *parsers, *(f"{page}/remove" for page in pages)):
        page = await browser.open(path)
        assert "<script>alert" not in page, path
        assert "<img src=x" not in page, path
        assert "<b>" not in page, path
        assert "&lt;script&gt;alert(1)" in page, path
        assert "{{ 7 * 7 }}" in page, path


async def test_a_form_that_is_too_large_or_does_not_say_how_large_it_is_is_not_read(browser: Browser) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b"name="

    response = await browser.client.post("/networks", content=endless())
    assert response.status_code == 411
    large = {"Content-Type": "application/x-www-form-urlencoded", "Content-Length": "999999999"}
    response = await browser.client.post("/networks", content=b"name=x", headers=large)
    assert response.status_code == 413


async def test_an_error_of_ours_says_nothing_of_its_cause(
    browser: Browser, queue: FakeQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise RuntimeError("secret of the console")

    monkeypatch.setattr(queue, "dead_letters", broken)
    page = await browser.open("/dead", 500)
    assert "secret of the console" not in page
    assert "its log says more" in page


async def test_a_path_that_leads_nowhere_is_404(browser: Browser) -> None:
    for path in (
        "/nothing",
        "/networks/nothing",
        "/networks/6a1f0c52d3b19e4477aa01c9",
        "/file/%2E%2E/openapi.json",
        "/file/p/%2E%2E/%2E%2E/metrics",
    ):
        assert (await browser.client.get(path)).status_code == 404, path
    assert (await browser.client.put("/networks")).status_code == 405


async def test_images_come_through_the_console_as_images_and_nothing_else(browser: Browser, api: Api) -> None:
    png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
    await api.post("/files", [{"filename": "icons/mill.png", "file": png}])
    (file,) = (await api.get("/files"))["files"]
    response: httpx.Response = await browser.client.get(file["url"])
    assert response.headers["Content-Type"] == "image/png"
    assert "sandbox" in response.headers["Content-Security-Policy"]
    assert response.headers["X-Content-Type-Options"] == "nosniff"
