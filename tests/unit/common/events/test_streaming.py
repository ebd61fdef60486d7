"""``GET /events``: for whom it is, and how a stream ends."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from common.events.announcement import Announcement
from common.events.engine import EventTiming
from common.events.event_token import EventTokenError, find_token, make_token
from common.events.streaming import ServedEvents
from common.health import Health
from tests.unit.common.events.test_event import EVENT

TOKEN = SecretStr("token-of-the-service")
VIEWER = {"viewer": "viewer-anna"}


@pytest.fixture
def health() -> Health:
    return Health("test", list, started=True)


@pytest.fixture
def events() -> ServedEvents:
    return ServedEvents(lambda: TOKEN, EventTiming(announce_seconds=0.05, forget_seconds=60))


@pytest.fixture
async def client(events: ServedEvents, health: Health) -> AsyncIterator[httpx.AsyncClient]:
    role = Starlette(routes=[Route("/own", lambda _: PlainTextResponse("the role's own"))])
    transport = httpx.ASGITransport(events.serve_beside(role, health))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        client.headers["Authorization"] = TOKEN.get_secret_value()
        yield client
    events.close()


async def test_the_roles_own_paths_are_served_as_before(client: httpx.AsyncClient) -> None:
    assert (await client.get("/own")).text == "the role's own"
    assert (await client.get("/events/more")).status_code == 404


@pytest.mark.parametrize("authorization", ["", "another", "Token token-of-the-service"])
async def test_events_are_for_whoever_shows_the_token(
    client: httpx.AsyncClient, events: ServedEvents, authorization: str
) -> None:
    answer = await client.get("/events", params=VIEWER, headers={"Authorization": authorization})
    assert (answer.status_code, answer.json()["status"]) == (401, False)
    assert not events.watched


async def test_without_any_token_nobody_may_watch(health: Health) -> None:
    app = ServedEvents(lambda: None).serve_beside(Starlette(), health)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        answer = await client.get("/events", params=VIEWER, headers={"Authorization": ""})
    assert answer.status_code == 403
    assert "SLUICE_DIRECTORY_TOKEN" in answer.json()["message"]


async def test_a_stream_says_what_happens_and_ends_when_its_viewer_has_to_announce_itself_again(
    client: httpx.AsyncClient, events: ServedEvents
) -> None:
    assert (await client.get("/events", params=VIEWER)).status_code == 200
    events.publish(EVENT)  # between two streams of one viewer
    answer = await client.get("/events", params=VIEWER)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    assert 'data: {"version":1,' in answer.text
    assert "serial_unknown" in answer.text


async def test_filters_are_parameters(client: httpx.AsyncClient, events: ServedEvents) -> None:
    for key in ("another", "factory"):
        await client.get("/events", params={**VIEWER, "keys": [key, "a-third"]})
        events.publish(EVENT)
    assert (await client.get("/events", params=VIEWER)).text.count("data: ") == 1


@pytest.mark.parametrize("parameters", [{}, {"viewer": "x"}, {"viewer": "../../../etc"}])
async def test_a_viewer_has_to_say_who_it_is(client: httpx.AsyncClient, parameters: dict[str, str]) -> None:
    assert (await client.get("/events", params=parameters)).status_code == 400


@pytest.mark.parametrize("rate", ["0", "-1", "many", "1.5"])
async def test_how_many_uplinks_a_viewer_can_use_has_to_be_a_count(client: httpx.AsyncClient, rate: str) -> None:
    answer = await client.get("/events", params={**VIEWER, "uplinks_per_second": rate})
    assert (answer.status_code, "uplinks_per_second" in answer.json()["message"]) == (400, True)


async def test_a_stream_says_of_how_many_uplinks_one_is_told(client: httpx.AsyncClient, events: ServedEvents) -> None:
    limited = {**VIEWER, "uplinks_per_second": "4"}
    await client.get("/events", params=limited)
    for number in range(200):
        events.publish(replace(EVENT, uplink_id=f"6a1f0c52d3b19e4477aa01c9/{number}"))
    text = (await client.get("/events", params=limited)).text
    one_in = events.view(Announcement(VIEWER["viewer"], uplinks_per_second=4)).sampler.one_in
    assert one_in > 1
    assert f'event: sampled\ndata: {{"one_in":{one_in}}}\n\n' in text
    assert text.count("serial_unknown") < 100


async def test_nothing_but_get_is_allowed(client: httpx.AsyncClient) -> None:
    assert (await client.post("/events", params=VIEWER)).status_code == 405


async def test_a_process_that_drains_takes_no_viewer(client: httpx.AsyncClient, health: Health) -> None:
    health.draining = True
    assert (await client.get("/events", params=VIEWER)).status_code == 503


async def test_a_view_is_read_by_one_at_a_time(client: httpx.AsyncClient, events: ServedEvents) -> None:
    await client.get("/events", params=VIEWER)
    events._views["viewer-anna"].is_read = True
    assert (await client.get("/events", params=VIEWER)).status_code == 409


def test_the_token_beside_the_queue_is_made_by_who_may_read_the_queue(tmp_path: Path) -> None:
    queue = tmp_path / "queue.db"
    with pytest.raises(EventTokenError, match="there is no queue"):
        make_token(queue, None)
    queue.touch()
    assert find_token(queue, None) is None
    made = make_token(queue, None)
    assert len(made.get_secret_value()) == 64
    assert (find_token(queue, None), make_token(queue, None)) == (made, made)
    (file,) = set(tmp_path.iterdir()) - {queue}
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_chosen_token_is_the_token(tmp_path: Path) -> None:
    assert make_token(tmp_path / "queue.db", TOKEN) == find_token(tmp_path / "queue.db", TOKEN) == TOKEN
    assert not list(tmp_path.iterdir())
