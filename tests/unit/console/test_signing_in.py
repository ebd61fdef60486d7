"""Signing in and out: who gets a session, and what the browser is told about it."""

from collections.abc import Callable

import pytest
from pydantic import SecretStr

from console.service import Console
from console.sessions import LIFE_SECONDS
from console.visit import CHECK_SECONDS
from registry.first_start import FirstStart
from tests.unit.console.browser import SIGN_IN, Browser, read_text
from tests.unit.console.surroundings import Surroundings
from tests.unit.registry.api import Api

OpenBrowser = Callable[..., Browser]


async def test_a_profile_s_token_signs_in_and_the_page_says_whose_it_is(browser: Browser) -> None:
    page = await browser.open("/")
    assert ">Default</span>" in page
    assert "Dead letters" in page


async def test_the_session_is_a_cookie_that_no_script_reads_and_no_other_site_sends(
    open_browser: OpenBrowser, first: FirstStart
) -> None:
    browser = open_browser()
    signed_in = (await browser.sign_in(first.profile_token)).history[0]
    cookie = next(c for c in signed_in.headers.get_list("set-cookie") if c.startswith("sluice_session="))
    parts = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"httponly", "samesite=strict", "path=/", f"max-age={LIFE_SECONDS:.0f}"} <= parts
    assert "secure" not in parts
    assert "domain" not in cookie.lower()
    assert first.profile_token.get_secret_value() not in cookie


async def test_under_tls_the_cookie_is_secure_and_this_host_s_alone(
    open_browser: OpenBrowser, first: FirstStart
) -> None:
    browser = open_browser("https://console")
    signed_in = (await browser.sign_in(first.profile_token)).history[0]
    cookie = next(c for c in signed_in.headers.get_list("set-cookie") if "_session=" in c)
    assert cookie.startswith("__Host-sluice_session=")
    assert "; secure" in cookie.lower()
    assert "Strict-Transport-Security" in signed_in.headers
    assert "Networks" in await browser.open("/networks")


@pytest.mark.parametrize(
    ("token", "status", "said"),
    [
        ("", 400, "A token is needed"),
        ("p-nobody-has-this-one", 401, "Nobody has this token"),
        ("two words", 401, "Nobody has this token"),
        ("é", 400, "characters that none has"),
        ("a\nb", 400, "characters that none has"),
    ],
)
async def test_any_other_token_does_not(open_browser: OpenBrowser, token: str, status: int, said: str) -> None:
    browser = open_browser()
    response = await browser.sign_in(SecretStr(token))
    assert (response.status_code, "sluice_session" in browser.client.cookies) == (status, False)
    assert said in read_text(response.text)
    assert "aria-invalid" in response.text


async def test_a_network_s_token_is_no_profile_s(open_browser: OpenBrowser, api: Api, first: FirstStart) -> None:
    (token,) = await api.get(f"/integration/network/token/{first.network_id}")
    assert (await open_browser().sign_in(SecretStr(token["token"]))).status_code == 401


async def test_nobody_is_signed_in_by_a_form_that_was_shown_to_another_browser(
    open_browser: OpenBrowser, first: FirstStart
) -> None:
    mine, theirs = open_browser(), open_browser()
    foreign = await theirs.form_token(SIGN_IN)
    await mine.open(SIGN_IN)
    data = {"form_token": foreign, "token": first.profile_token.get_secret_value()}
    assert (await mine.client.post(SIGN_IN, data=data)).status_code == 403
    assert (await open_browser().client.post(SIGN_IN, data=data)).status_code == 403


async def test_signing_out_ends_the_session_and_not_only_the_cookie(browser: Browser) -> None:
    kept = browser.client.cookies["sluice_session"]
    response = await browser.submit("/sign-out")
    assert response.url.path == SIGN_IN
    assert "sluice_session" not in browser.client.cookies
    browser.client.cookies.set("sluice_session", kept)
    assert (await browser.client.get("/networks")).url.path == SIGN_IN


async def test_signing_in_again_ends_the_session_before(browser: Browser, first: FirstStart) -> None:
    before = browser.client.cookies["sluice_session"]
    await browser.sign_in(first.profile_token)
    assert browser.client.cookies["sluice_session"] != before
    browser.client.cookies.clear()
    browser.client.cookies.set("sluice_session", before)
    assert (await browser.client.get("/networks")).url.path == SIGN_IN


async def test_a_request_without_a_session_ends_none(browser: Browser, open_browser: Callable[[], Browser]) -> None:
    """A form of another site comes without the cookie: were it deleted then, any site could sign people out."""
    stranger = await open_browser().client.post("/networks", data={"name": "x"}, follow_redirects=False)
    assert "set-cookie" not in stranger.headers
    ended = browser.client.cookies["sluice_session"]
    await browser.submit("/sign-out")
    browser.client.cookies.set("sluice_session", ended)
    known = await browser.client.get("/networks", follow_redirects=False)
    assert "sluice_session=" in known.headers["set-cookie"]


async def test_a_token_that_was_renewed_is_signed_out_with_the_next_question_to_the_registry(
    browser: Browser, api: Api, first: FirstStart
) -> None:
    await api.create(f"/profile/{first.profile_id}/token")
    assert (await browser.client.get("/networks")).url.path == SIGN_IN


async def test_it_is_signed_out_as_well_where_the_registry_is_not_asked(
    browser: Browser, api: Api, first: FirstStart, console: Console
) -> None:
    await api.create(f"/profile/{first.profile_id}/token")
    now = console.sessions.clock()
    console.sessions.clock = lambda: now + CHECK_SECONDS
    assert (await browser.client.get("/dead")).url.path == SIGN_IN


async def test_while_the_registry_is_away_an_operator_still_looks(
    browser: Browser, console: Console, surroundings: Surroundings
) -> None:
    surroundings.registry_is_away = True
    now = console.sessions.clock()
    console.sessions.clock = lambda: now + CHECK_SECONDS
    assert "There is no dead letter" in await browser.open("/dead")
    assert "The registry does not answer" in read_text(await browser.open("/networks", 503))


async def test_while_the_registry_is_away_nobody_signs_in(
    open_browser: OpenBrowser, first: FirstStart, surroundings: Surroundings
) -> None:
    surroundings.registry_is_away = True
    response = await open_browser().sign_in(first.profile_token)
    assert response.status_code == 503
    assert "The registry does not answer" in read_text(response.text)
