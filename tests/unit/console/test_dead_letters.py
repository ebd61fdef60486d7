"""The dead letters of a console: found, understood, replayed and let go."""

import asyncio
import tomllib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from common.dead_letter import Disposition
from common.queue.protocol import QueueUnavailableError
from common.reason import Reason
from common.settings import Settings
from console.letters import PAGE_LETTERS, write_toml_line
from console.service import Console, Neighbours
from registry.first_start import FirstStart
from tests.support.directories import build_directory, build_key, build_network
from tests.support.letters import DIED_AT, GROUP, build_frame_letter, build_letter
from tests.support.queues import FakeQueue
from tests.support.waiting import eventually
from tests.unit.console.browser import Browser, read_text
from tests.unit.console.surroundings import Surroundings
from tests.unit.registry.api import Api

LETTER = f"/dead/letters/{GROUP}/0"


async def confirm(browser: Browser, path: str, **fields: str) -> str:
    """Send the form that asks before a replay or a purge, and give the page that follows."""
    page = await browser.open(path)
    until = page.partition('name="until" value="')[2].partition('"')[0].replace("&#43;", "+")
    response = await browser.submit(path.partition("?")[0], on=path, until=until, **fields)
    assert response.status_code == 200, read_text(response.text)
    return response.text


@pytest.fixture
def letters(queue: FakeQueue) -> FakeQueue:
    """Three letters of two keys and two reasons."""
    queue.letters = [
        build_letter(0, item={"devaddr": "0A1B", "payload_raw": "00"}),
        build_letter(1, reason=Reason.PARSER_FAILED, detail="<b>TypeError</b>"),
        build_letter(2, key="office"),
    ]
    return queue


async def test_without_letters_the_page_says_what_that_means(browser: Browser) -> None:
    assert "everything that was accepted was delivered" in await browser.open("/dead")


@pytest.mark.usefixtures("letters")
async def test_letters_are_counted_by_reason_and_key(browser: Browser) -> None:
    text = read_text(await browser.open("/dead"))
    assert "3 letters, by reason and key" in text
    assert "serial_unknown office 1" in text
    assert "parser_failed factory 1" in text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("reason=serial_unknown", {0, 2}),
        ("key=factory", {0, 1}),
        ("reason=serial_unknown&key=office", {2}),
        ("key=nobody", set()),
        (f"uplink_id={GROUP}/1", {1}),
    ],
)
@pytest.mark.usefixtures("letters")
async def test_a_filter_finds_what_fits(browser: Browser, query: str, found: set[int]) -> None:
    page = await browser.open(f"/dead?{query}")
    assert {index for index in range(3) if f"{GROUP}/{index}</code>" in page} == found


@pytest.mark.usefixtures("letters")
async def test_a_serial_is_found_by_the_map_of_its_key(browser: Browser, surroundings: Surroundings) -> None:
    surroundings.directory = build_directory(build_key("factory", field_map="serial=devaddr"))
    assert f"{GROUP}/0</code>" in await browser.open("/dead?serial=0A1B")
    surroundings.directory = None
    assert "No dead letter fits" in await browser.open("/dead?serial=0A1B")


@pytest.mark.parametrize("query", ["reason=nothing", "until=never", "until=2026-11-21"])
async def test_a_filter_that_is_none_is_refused(browser: Browser, query: str) -> None:
    await browser.open(f"/dead?{query}", 400)


@pytest.mark.usefixtures("letters")
async def test_a_letter_opens_to_its_story_and_the_remedy(browser: Browser, surroundings: Surroundings) -> None:
    surroundings.directory = build_directory(
        build_key("factory", network="lorawan", field_map="serial=devaddr"), networks=(build_network("lorawan"),)
    )
    text = read_text(await browser.open(LETTER))
    for part in (
        "Create the device downstream",
        "Device Not Found",
        "network lorawan",
        "serial 0A1B",
        '"devaddr": "0A1B"',
    ):
        assert part in text
    hostile = await browser.open(f"/dead/letters/{GROUP}/1")
    assert "<b>TypeError" not in hostile
    assert "&lt;b&gt;TypeError" in hostile
    assert (await browser.client.get("/dead/letters/nobody/0")).status_code == 404


async def test_a_map_is_tried_beside_the_letter_with_the_result_at_once(letters: FakeQueue, browser: Browser) -> None:
    assert "Answered 400 serial_missing" in read_text(await browser.open(LETTER))
    tried = await browser.submit(LETTER, on=LETTER, verification_code="serial=devaddr;payload=payload_raw")
    assert "device of 0A1B" in read_text(tried.text)
    assert "serial=devaddr;payload=payload_raw</textarea>" in tried.text
    assert len(letters.letters) == 3


@pytest.fixture
async def key(api: Api, first: FirstStart, queue: FakeQueue, surroundings: Surroundings) -> dict[str, Any]:
    """A key of the administrator's whose map is wrong, and a letter that died of it."""
    key: dict[str, Any] = await api.create(
        "/serviceauth", name="Gate", network=first.network_id, verification_code="serial=deveui"
    )
    surroundings.directory = build_directory(build_key(key["id"], field_map="serial=deveui"))
    queue.letters = [build_letter(0, key=key["id"], item={"devaddr": "0A1B"})]
    return key


async def test_a_map_is_saved_from_the_letter_s_page_and_a_replay_waits_until_it_is_in_force(
    queue: FakeQueue, browser: Browser, api: Api, key: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.saved_maps.IN_FORCE_SECONDS", 0.5)
    page = await browser.open(LETTER)
    assert "serial=deveui</textarea>" in page
    assert "Save this map for the key Gate" in page
    saved = await browser.submit(f"{LETTER}/map", on=LETTER, verification_code="serial=devaddr")
    assert saved.url.path == LETTER
    assert "The map of the key Gate was saved" in read_text(saved.text)
    assert "serial=devaddr</textarea>" in saved.text, "also before the directory has it"
    assert (await api.get(f"/serviceauth/{key['id']}"))["verification_code"] == "serial=devaddr"

    began = asyncio.get_running_loop().time()
    until = DIED_AT.isoformat()
    await browser.submit("/dead/replay", on=LETTER, uplink_id=f"{GROUP}/0", rate="50", until=until)
    await eventually(lambda: queue.letters == [])
    assert asyncio.get_running_loop().time() - began > 0.25


async def test_a_map_that_is_none_is_refused_at_its_field_and_not_lost(
    browser: Browser, api: Api, key: dict[str, Any]
) -> None:
    refused = await browser.submit(f"{LETTER}/map", on=LETTER, verification_code="serial")
    assert refused.status_code == 400
    assert 'id="verification_code-fault"' in refused.text
    assert ">\nserial</textarea>" in refused.text
    assert (await api.get(f"/serviceauth/{key['id']}"))["verification_code"] == "serial=deveui"


async def test_a_map_is_saved_with_the_rights_of_whoever_is_signed_in(
    queue: FakeQueue, browser: Browser, other: Browser, api: Api, key: dict[str, Any]
) -> None:
    assert (await other.submit(f"{LETTER}/map", verification_code="serial=a")).status_code == 403
    forged = await browser.client.post(f"{LETTER}/map", data={"verification_code": "serial=a", "form_token": "x"})
    assert forged.status_code == 403
    queue.letters = [build_letter(key="0123456789abcdef01234567")]  # another profile's
    page = await browser.open(LETTER)
    assert "Your profile has no such key" in page
    assert "Save this map" not in page
    refused = await browser.submit(f"{LETTER}/map", on=LETTER, verification_code="serial=a")
    assert (refused.status_code, "Authorization Not Found" in refused.text) == (404, True)
    assert (await api.get(f"/serviceauth/{key['id']}"))["verification_code"] == "serial=deveui"


@pytest.mark.usefixtures("key")
async def test_while_the_registry_is_away_a_map_can_be_tried_and_not_saved(
    browser: Browser, surroundings: Surroundings
) -> None:
    surroundings.registry_is_away = True
    page = await browser.open(LETTER)
    assert "The registry does not answer" in page
    assert "Save this map" not in page
    assert "serial_missing" in page


@pytest.mark.usefixtures("key")
async def test_a_letter_that_is_open_is_tried_without_reading_the_whole_list(
    queue: FakeQueue, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    form_token = await browser.form_token(LETTER)
    monkeypatch.setattr(queue, "dead_letters", None)
    data = {"form_token": form_token, "verification_code": "serial=devaddr"}
    tried = await browser.client.post(LETTER, data=data)
    assert "device of 0A1B" in read_text(tried.text)


@pytest.mark.parametrize(
    ("key_id", "field_map", "table", "line"),
    [
        ("factory", "serial=a", "[authorizations.factory]", 'additional_parameters = "serial=a"'),
        ("the mill", 'serial="a"', '[authorizations."the mill"]', r'additional_parameters = "serial=\"a\""'),
        ("a\x7f", "", r'[authorizations."a\u007f"]', 'additional_parameters = ""'),
    ],
)
def test_the_line_of_a_map_is_toml(key_id: str, field_map: str, table: str, line: str) -> None:
    assert write_toml_line(key_id, field_map) == (table, line)
    read = tomllib.loads(f"{table}\n{line}")
    assert read == {"authorizations": {key_id: {"additional_parameters": field_map}}}


@pytest.fixture
def neighbours_of_a_file(neighbours: Neighbours) -> Neighbours:
    return replace(neighbours, directory_file="/etc/sluice.toml")


async def test_where_the_directory_is_a_file_the_page_says_which_line_to_write(
    queue: FakeQueue,
    neighbours_of_a_file: Neighbours,
    surroundings: Surroundings,
    first: FirstStart,
    open_browser_at: Callable[[Console], Browser],
) -> None:
    queue.letters = [build_letter(0, item={"devaddr": "0A1B"})]
    surroundings.directory = build_directory(build_key("factory", field_map="serial=deveui"))
    browser = open_browser_at(Console(Settings(console_port=0), queue, neighbours_of_a_file))
    await browser.sign_in(first.profile_token)
    assert 'additional_parameters = "serial=deveui"' in read_text(await browser.open(LETTER))
    tried = read_text((await browser.submit(LETTER, on=LETTER, verification_code="serial=devaddr")).text)
    for part in ("/etc/sluice.toml", "[authorizations.factory]", 'additional_parameters = "serial=devaddr"'):
        assert part in tried
    assert "Save this map" not in tried


async def test_one_letter_is_replayed_after_a_question(letters: FakeQueue, browser: Browser) -> None:
    assert "Replay 1 letter?" in await browser.open(f"/dead/replay?uplink_id={GROUP}/0")
    assert len(letters.letters) == 3
    await confirm(browser, f"/dead/replay?uplink_id={GROUP}/0", uplink_id=f"{GROUP}/0", rate="50")
    await eventually(lambda: [letter.uplink_id[-1] for letter in letters.letters] == ["1", "2"])
    (envelope,) = letters.accepted()
    assert (envelope.attempt, envelope.key_id) == (1, "factory")


async def test_a_filter_is_replayed_with_progress(letters: FakeQueue, browser: Browser) -> None:
    letters.hold()
    page = await confirm(browser, "/dead/replay?reason=serial_unknown", reason="serial_unknown", rate="1000")
    assert "So far 0 of 2 replayed" in page
    path = page.partition('data-progress="')[2].partition('"')[0]
    again = await browser.submit("/dead/replay", rate="50")
    assert (again.status_code, "Another replay or purge is under way" in again.text) == (409, True)
    letters.release()

    async def over() -> bool:
        job = (await browser.client.get(path)).json()
        return bool(job == {"done": 2, "total": 2, "over": True, "text": "Done: 2 of 2 replayed"})

    await eventually(over)
    assert [letter.reason for letter in letters.letters] == [Reason.PARSER_FAILED]
    assert "Done: 2 of 2 replayed" in await browser.open(path.removesuffix("/progress"))


async def test_a_letter_that_died_after_the_question_is_left_alone(letters: FakeQueue, browser: Browser) -> None:
    until = (DIED_AT + timedelta(seconds=1)).isoformat()
    letters.letters.append(build_letter(3, died_at=DIED_AT + timedelta(seconds=2)))
    await browser.submit("/dead/purge", sure="on", until=until)
    await eventually(lambda: [letter.uplink_id[-1] for letter in letters.letters] == ["3"])


async def test_a_purge_needs_a_tick_and_gives_up_what_fits(letters: FakeQueue, browser: Browser) -> None:
    unsure = await browser.submit("/dead/purge", reason="parser_failed")
    assert (unsure.status_code, len(letters.letters)) == (400, 3)
    await confirm(browser, "/dead/purge?reason=parser_failed", reason="parser_failed", sure="on")
    await eventually(lambda: len(letters.letters) == 2)
    ((letter_id, disposition),) = letters.marks
    assert (letter_id.uplink_id, disposition) == (f"{GROUP}/1", Disposition.PURGED)
    assert letters.published == []


@pytest.mark.parametrize("rate", ["", "0", "-1", "x", "99999"])
async def test_a_rate_that_is_none_is_refused(letters: FakeQueue, browser: Browser, rate: str) -> None:
    assert (await browser.submit("/dead/replay", rate=rate)).status_code == 400
    assert len(letters.letters) == 3


async def test_where_the_queue_fails_midway_the_page_says_what_was_done(letters: FakeQueue, browser: Browser) -> None:
    letters.refuse(QueueUnavailableError("the broker is away"))
    page = await confirm(browser, "/dead/replay?", rate="1000")
    path = page.partition('data-progress="')[2].partition('"')[0]

    async def ended() -> str | None:
        job = (await browser.client.get(path)).json()
        return job["text"] if job["over"] else None

    assert await eventually(ended) == "Stopped with 0 of 3 replayed: the broker is away"
    assert len(letters.letters) == 3


async def test_a_message_that_nobody_could_read_is_shown_as_it_came(queue: FakeQueue, browser: Browser) -> None:
    letter = build_frame_letter()
    queue.letters = [letter]
    page = await browser.open("/dead")
    assert "not readable" in page
    assert "The message as it came" in await browser.open(f"/dead/letters/{letter.uplink_id}")


async def test_what_is_cut_is_said_and_not_counted_among_what_would_be_replayed(
    queue: FakeQueue, browser: Browser
) -> None:
    queue.letters = [build_letter(), build_frame_letter(b'{"vers', uplink_id=f"{GROUP}/7")]
    text = read_text(await browser.open("/dead/replay"))
    assert "Replay 1 letter?" in text
    assert "1 more cannot be replayed" in text
    assert "serial_unknown factory 1" in text
    assert "envelope_unsupported" not in text


async def test_a_long_list_is_paged(queue: FakeQueue, browser: Browser) -> None:
    queue.letters = [build_letter(index) for index in range(PAGE_LETTERS + 1)]
    first, second = await browser.open("/dead?key=factory"), await browser.open("/dead?key=factory&page=2")
    assert f"{GROUP}/{PAGE_LETTERS}</code>" not in first
    assert "/dead?key=factory&amp;page=2" in first
    assert f"{GROUP}/{PAGE_LETTERS}</code>" in second
    assert 'rel="next"' not in second
    assert f"{PAGE_LETTERS + 1} letters" in read_text(second)


async def test_while_the_queue_is_away_the_page_says_so(
    queue: FakeQueue, browser: Browser, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise QueueUnavailableError("the broker is away")

    monkeypatch.setattr(queue, "dead_letters", away)
    queue.unavailable = "the broker is away"
    assert "The queue does not answer: the broker is away" in await browser.open("/dead", 503)
    assert console.health.degraded() == ["queue: the broker is away"]


async def test_the_administrator_s_own_keys_are_called_by_their_names(
    queue: FakeQueue, browser: Browser, api: Api, first: FirstStart, surroundings: Surroundings
) -> None:
    key = await api.create("/serviceauth", name="Gate <b>", network=first.network_id)
    queue.letters = [build_letter(key=key["id"]), build_letter(1, key="another's")]
    for path in ("/dead", "/dead/replay", LETTER):
        page = await browser.open(path)
        assert "Gate &lt;b&gt;" in page, path
        assert key["token"] not in page, path
    assert "another&#39;s" in await browser.open("/dead")
    surroundings.registry_is_away = True
    assert key["id"] in await browser.open("/dead")
