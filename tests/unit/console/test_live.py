"""The live inspector's stream."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from common.events.announcement import Announcement, EventFilter
from common.events.engine import Missed, Sampled, Seen
from common.events.event import Event, Stage
from common.reason import Reason
from console import live as console_live
from console.live import UPLINKS_PER_SECOND, WatchError
from console.service import Console
from registry.first_start import FirstStart
from tests.unit.console.browser import Browser
from tests.unit.console.surroundings import Surroundings

AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def build_event(stage: Stage = Stage.ACCEPTED, **known: Any) -> Event:
    return Event(AT, stage, "6a1f0c52d3b19e4477aa01c9/0", key="factory", network="plain", serial="A1", **known)


def read_stream(text: str) -> list[tuple[str, dict[str, Any]]]:
    """Give the name and the data of each server-sent event."""
    blocks = [dict(line.split(": ", 1) for line in block.splitlines()) for block in text.split("\n\n") if block]
    return [(block["event"], orjson.loads(block["data"])) for block in blocks if "data" in block]


@pytest.fixture
def watched(console: Console, surroundings: Surroundings, monkeypatch: pytest.MonkeyPatch) -> Surroundings:
    """What there is to be seen; when it was, the console drains."""
    monkeypatch.setattr("console.live.LOOK_SECONDS", 0.01)
    surroundings.when_seen = lambda: setattr(console.health, "draining", True)
    return surroundings


async def test_events_come_as_they_happen_with_what_was_missed(browser: Browser, watched: Surroundings) -> None:
    watched.seen = [
        build_event(facts={"uplinks": 1}, details={"item": {"serial": "<b>"}}),
        Missed("they came too fast", 3),
        Sampled(4),
        build_event(Stage.DEAD, reason=Reason.SERIAL_UNKNOWN),
    ]
    response = await browser.client.get("/live/events")
    assert response.headers["Content-Type"].startswith("text/event-stream")
    assert response.headers["Cache-Control"] == "no-store"
    (first, accepted), (second, missed), (third, sampled), (fourth, dead) = read_stream(response.text)
    assert (first, second, third, fourth) == ("uplink", "missed", "sampled", "uplink")
    assert (accepted["stage"], accepted["facts"], accepted["details"]) == (
        "accepted", {"uplinks": 1}, {"item": {"serial": "<b>"}}
    )  # fmt: skip
    assert accepted["time"] == "2026-11-21T12:00:00Z"
    assert missed == {"why": "they came too fast", "events": 3}
    assert sampled == {"one_in": 4}
    assert dead["reason"] == "serial_unknown"


async def test_a_filter_goes_to_where_events_are_made(browser: Browser, watched: Surroundings) -> None:
    watched.seen = [build_event(), build_event(Stage.POSTED)]
    query = "serial=A1&key=factory&network=plain&reason=serial_unknown&stage=posted"
    response = await browser.client.get(f"/live/events?{query}")
    assert [data["stage"] for _, data in read_stream(response.text)] == ["accepted", "posted"], "the page tells stories"
    (announcement,) = watched.announced
    assert announcement.event_filter == EventFilter(
        frozenset({"A1"}), frozenset({"factory"}), frozenset({"plain"}), frozenset({"serial_unknown"})
    )
    assert announcement.details
    assert announcement.uplinks_per_second == UPLINKS_PER_SECOND


async def test_what_comes_together_is_written_at_once(
    browser: Browser, watched: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.live.BURST", 3)
    watched.seen = [build_event(facts={"number": number}) for number in range(7)]
    bursts = [console_live.encode_seen(each) for each in watched.seen]
    response = await browser.client.get("/live/events")
    assert response.content == b"retry: 2000\n\n" + b"".join(bursts)


async def test_the_stream_ends_when_there_is_nothing_left_to_watch(
    browser: Browser, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    @asynccontextmanager
    async def watch(_: Announcement) -> AsyncIterator[AsyncIterator[Seen]]:
        async def give() -> AsyncIterator[Seen]:
            yield build_event()

        yield give()

    monkeypatch.setattr("console.live.LOOK_SECONDS", 0.01)
    monkeypatch.setattr(console.live, "_watch", watch)
    ((name, _),) = read_stream((await browser.client.get("/live/events")).text)
    assert name == "uplink"


async def test_each_page_is_a_viewer_of_its_own(browser: Browser, watched: Surroundings, console: Console) -> None:
    for _ in range(2):
        console.health.draining = False
        await browser.client.get("/live/events")
    one, other = watched.announced
    assert one.viewer != other.viewer


async def test_the_stream_ends_with_the_session(
    browser: Browser, console: Console, surroundings: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.live.LOOK_SECONDS", 0.01)
    surroundings.when_seen = lambda: console.sessions.end(browser.client.cookies["sluice_session"])
    assert (await browser.client.get("/live/events")).status_code == 200


async def test_a_stream_in_which_nothing_happens_says_that_it_is_there(
    browser: Browser, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.live.LOOK_SECONDS", 0.01)
    monkeypatch.setattr("console.live.IDLE_LOOKS", 1)
    looks = iter(range(5))
    monkeypatch.setattr(console.live, "_is_draining", lambda: next(looks, None) is None)
    assert ": still here" in (await browser.client.get("/live/events")).text


async def test_where_nothing_can_be_watched_the_page_is_told_why(
    browser: Browser, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Announcement) -> Any:
        raise WatchError("set SLUICE_DIRECTORY_TOKEN")

    monkeypatch.setattr(console.live, "_watch", refuse)
    response = await browser.client.get("/live/events")
    assert read_stream(response.text) == [("missed", {"why": "set SLUICE_DIRECTORY_TOKEN", "events": None})]


async def test_own_networks_are_offered_by_their_names(browser: Browser, first: FirstStart) -> None:
    assert f'<option value="{first.network_id}">Generic Endpoint</option>' in await browser.open("/live")


async def test_what_was_asked_for_stays_in_the_form(browser: Browser) -> None:
    page = await browser.open("/live?serial=%3Cb%3E&stage=dead")
    assert 'value="&lt;b&gt;"' in page
    assert '<option value="dead" selected>' in page
