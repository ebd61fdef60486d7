"""A console where the directory is a file and there is no registry."""

from collections.abc import AsyncIterator

import httpx
import pytest
from pydantic import SecretStr

from cli.console_explaining import explain_sample
from common.settings import Settings
from console.no_registry import NoRegistry
from console.service import Console, Neighbours
from console.visit import CHECK_SECONDS
from tests.support.directories import build_directory, build_key
from tests.support.letters import GROUP, build_letter
from tests.support.queues import FakeQueue
from tests.unit.console.browser import SIGN_IN, Browser, read_text
from tests.unit.console.surroundings import Surroundings

TOKEN = SecretStr("directory-token-of-a-test")
LETTER = f"/dead/letters/{GROUP}/0"


@pytest.fixture
def registry() -> NoRegistry:
    return NoRegistry(TOKEN, "sluice.toml")


@pytest.fixture
def surroundings(registry: NoRegistry) -> Surroundings:
    directory = build_directory(build_key("factory", field_map="serial=devaddr"))
    return Surroundings(registry, directory=directory)


@pytest.fixture
def console(queue: FakeQueue, surroundings: Surroundings) -> Console:
    settings = Settings(console_port=0)
    return Console(
        settings,
        queue,
        Neighbours(
            registry=httpx.AsyncClient(transport=surroundings, base_url="http://registry"),
            processes=[],
            explain=lambda sample: explain_sample(settings, sample),
            find_directory=surroundings.find_directory,
            watch=surroundings.watch,
            directory_file="sluice.toml",
        ),
    )


@pytest.fixture
async def stranger(console: Console) -> AsyncIterator[Browser]:
    transport = httpx.ASGITransport(console.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://console", follow_redirects=True) as client:
        yield Browser(client)


@pytest.fixture
async def browser(stranger: Browser) -> Browser:
    assert (await stranger.sign_in(TOKEN)).status_code == 200
    return stranger


async def test_the_token_of_the_directory_signs_in_and_the_page_says_which_that_is(stranger: Browser) -> None:
    assert "What SLUICE_DIRECTORY_TOKEN was" in read_text(await stranger.open(SIGN_IN))
    assert "How each part is" in read_text((await stranger.sign_in(TOKEN)).text)


@pytest.mark.parametrize("token", ["directory-token-of-a-tes", "directory-token-of-a-testx", "wrong"])
async def test_any_other_token_does_not(stranger: Browser, token: str) -> None:
    response = await stranger.sign_in(SecretStr(token))
    assert (response.status_code, "sluice_session" in stranger.client.cookies) == (401, False)
    assert "Nobody has this token" in read_text(response.text)


async def test_a_session_outlives_the_next_look_at_its_token(browser: Browser, console: Console) -> None:
    now = console.sessions.clock()
    console.sessions.clock = lambda: now + CHECK_SECONDS
    assert "There is no dead letter" in await browser.open("/dead")


async def test_the_pages_are_those_that_need_no_registry(browser: Browser) -> None:
    page = await browser.open("/live")
    header = page.partition("</header>")[0]
    assert [path for path in ("/live", "/dead", "/networks", "/devices", "/keys") if f'"{path}"' in header] == [
        "/live", "/dead"
    ]  # fmt: skip
    assert TOKEN.get_secret_value() not in page


@pytest.mark.parametrize("path", ["/networks", "/connectors", "/devices", "/devices/new", "/keys", "/keys/factory"])
async def test_any_other_page_says_where_things_are(browser: Browser, path: str) -> None:
    assert "networks and keys are written in sluice.toml" in read_text(await browser.open(path, 404))


async def test_a_letter_s_story_knows_the_key_and_the_serial_from_the_file(browser: Browser, queue: FakeQueue) -> None:
    queue.letters = [build_letter(0, item={"devaddr": "0A1B"})]
    assert "key factory network plain serial 0A1B" in read_text(await browser.open(LETTER))


async def test_a_letter_is_replayed(browser: Browser, queue: FakeQueue) -> None:
    queue.letters = [build_letter(0)]
    response = await browser.submit("/dead/replay", on=f"/dead/replay?uplink_id={GROUP}/0", rate="100")
    assert response.url.path.startswith("/dead/jobs/")


@pytest.mark.parametrize("token", ["", "é", "wrong"])
async def test_whoever_does_not_have_the_token_is_told_nothing(registry: NoRegistry, token: str) -> None:
    async with httpx.AsyncClient(transport=registry, base_url="http://registry") as client:
        for path in ("/profile/current", "/device"):
            answer = await client.get(path, headers=[(b"Token", token.encode())])
            assert (answer.status_code, answer.json()) == (401, {"status": False, "message": "Authorization Denied"})
