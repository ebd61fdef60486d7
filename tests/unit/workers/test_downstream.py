import asyncio

import httpx
import pytest
from pydantic import SecretStr

from common.serial import Serial
from tests.support.directories import StaticDirectory, build_directory, build_key, build_network
from tests.support.uplinks import build_resolved
from workers import breaker, retrying
from workers.answers import AwayError, DownstreamError, RejectedError, ThrottledError, TransientError
from workers.downstream import Downstream
from workers.governor import Governor
from workers.grouping import group_into_posts
from workers.http_client import HttpClient, TransportClient
from workers.resolver import DeviceToken

NO = {"status": False, "message": "no"}
YES = {"status": True, "result": "01369696-0000-0000-0000-feb5ddca1751"}


class Server:
    """Answers with what a test lined up, the last answer for ever; keeps the requests."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers) or [httpx.Response(200, json=YES)]
        self.probe_answer: httpx.Response | Exception = httpx.Response(401, json=NO)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/info":
            if isinstance(self.probe_answer, Exception):
                raise self.probe_answer
            return self.probe_answer
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


def build_downstream(server: Server, *, blips: float = 0) -> Downstream:
    return build_with_client(TransportClient(httpx.MockTransport(server), seconds=30), blips=blips)


def build_with_client(client: HttpClient, *, blips: float = 0) -> Downstream:
    directory = StaticDirectory(build_directory(build_key()))
    return Downstream(client, directory, Governor(directory, crowd=10), in_flight=2, blip_seconds=blips)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "FIRST_WAIT_SECONDS", 0)
    monkeypatch.setattr(breaker, "FIRST_PAUSE_SECONDS", 0)


async def test_resolve_asks_with_the_network_token_and_encodes_both_segments() -> None:
    server = Server()
    downstream = build_downstream(server)
    token = await downstream.resolve(Serial("a/b ?"), build_key(token="k/1"), build_network("lorawan"))
    assert token == DeviceToken(SecretStr(YES["result"]))  # type: ignore[arg-type]
    (request,) = server.requests
    assert (request.method, request.headers["Authorization"]) == ("GET", "n-lorawan")
    assert request.url.raw_path == b"/integration/network/resolve/a%2Fb%20%3F/k%2F1"


async def test_post_sends_the_records_with_the_device_token_and_the_uplink_ids() -> None:
    server = Server(httpx.Response(202, json={"status": True, "result": "1 Data Added"}))
    (post,), _ = group_into_posts([build_resolved(token="device-1")])
    await build_downstream(server).post(post)
    (request,) = server.requests
    assert (request.method, request.url.path) == ("POST", "/data")
    assert request.headers["Device-Token"] == "device-1"
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["Sluice-Uplinks"] == "6a1f0c52d3b19e4477aa01c9/0"
    assert request.content == post.body


async def test_every_try_of_a_post_that_came_to_nothing_is_told_with_its_answer() -> None:
    heard: list[str] = []
    answers: list[httpx.Response | Exception] = [
        httpx.ConnectError("no"),
        TimeoutError(),
        httpx.Response(503, json={"status": False, "message": "device-1 has to wait"}),
        httpx.Response(202, json={"status": True, "result": "1 Data Added"}),
    ]
    (post,), _ = group_into_posts([build_resolved(token="device-1")])
    await build_downstream(Server(*answers), blips=30).post(post, on_failure=lambda error: heard.append(str(error)))
    late = "no whole answer in time (SLUICE_DOWNSTREAM_TIMEOUT)"
    assert heard == ["ConnectError", late, "503: *** has to wait"]


@pytest.mark.parametrize("result", [None, "", 7, {}])
async def test_an_answer_without_a_device_token_is_no_answer(result: object) -> None:
    downstream = build_downstream(Server(httpx.Response(200, json={"status": True, "result": result})))
    with pytest.raises(TransientError, match="no device token"):
        await downstream.resolve(Serial("A"), build_key(), build_network())


@pytest.mark.parametrize(
    "blip", [httpx.ConnectError("no"), httpx.ReadTimeout("no"), httpx.Response(503), httpx.Response(302)]
)
async def test_a_blip_is_repeated_in_place(blip: httpx.Response | Exception) -> None:
    server = Server(blip, blip, httpx.Response(200, json=YES))
    await build_downstream(server, blips=30).resolve(Serial("A"), build_key(), build_network())
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(429, json={"status": False, "message": "slow down"}),
        httpx.Response(503, headers={"Retry-After": "5"}),
        httpx.Response(404, json={"status": False, "message": "Device Not Found"}),
        httpx.Response(401, json={"status": False, "message": "Authorization Denied"}),
    ],
)
async def test_what_names_a_time_or_is_permanent_is_not_repeated_in_place(answer: httpx.Response) -> None:
    server = Server(answer)
    with pytest.raises(DownstreamError):
        await build_downstream(server, blips=30).resolve(Serial("A"), build_key(), build_network())
    assert len(server.requests) == 1


async def test_blips_end_after_their_time() -> None:
    server = Server(httpx.Response(503))
    with pytest.raises(TransientError):
        await build_downstream(server, blips=0.05).resolve(Serial("A"), build_key(), build_network())
    assert len(server.requests) >= 2


async def test_an_error_of_the_connection_says_nothing_of_the_url_which_holds_a_key() -> None:
    server = Server(httpx.ConnectError("cannot reach http://downstream/integration/network/resolve/A/at-factory"))
    downstream = build_downstream(server)
    with pytest.raises(TransientError) as error:
        await downstream.resolve(Serial("A"), build_key(), build_network())
    assert "at-factory" not in str(error.value)
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__


async def test_a_server_that_quotes_the_request_gives_no_key_away() -> None:
    message = "Cannot GET /integration/network/resolve/A/k%2F1 (k/1, n-lorawan)"
    server = Server(httpx.Response(404, json={"status": False, "message": message}))
    with pytest.raises(RejectedError) as error:
        await build_downstream(server).resolve(Serial("A"), build_key(token="k/1"), build_network("lorawan"))
    assert str(error.value) == "404: Cannot GET /integration/network/resolve/A/*** (***, ***)"


@pytest.mark.parametrize("token", ["a\r\nX: b", "t\u00f6ken", "two words", "x" * 501])
async def test_a_token_that_is_no_header_value_is_no_token(token: str) -> None:
    downstream = build_downstream(Server(httpx.Response(200, json={"status": True, "result": token})))
    with pytest.raises(TransientError, match="no device token"):
        await downstream.resolve(Serial("A"), build_key(), build_network())


async def test_any_error_of_the_client_says_nothing_about_the_uplink() -> None:
    with pytest.raises(TransientError, match="UnicodeEncodeError"):
        await build_downstream(Server(UnicodeEncodeError("ascii", "x", 0, 1, "no"))).resolve(
            Serial("A"), build_key(), build_network()
        )


async def test_an_answer_that_does_not_end_is_given_up() -> None:
    with pytest.raises(TransientError, match="more than 100000 bytes"):
        await build_downstream(Server(httpx.Response(200, content=b" " * 200_000))).resolve(
            Serial("A"), build_key(), build_network()
        )


async def test_a_failure_while_the_downstream_is_away_as_a_whole_says_so() -> None:
    server = Server(httpx.Response(503, headers={"Retry-After": "60"}))
    server.probe_answer = httpx.ConnectError("no")
    downstream = build_downstream(server, blips=0.05)
    with pytest.raises(AwayError) as tried:
        await downstream.resolve(Serial("A"), build_key(), build_network())
    with pytest.raises(AwayError) as untried:
        await downstream.resolve(Serial("B"), build_key(), build_network())
    assert (tried.value.tried, untried.value.tried) == (True, False)
    assert len(server.requests) == 1
    await downstream.breaker.stop()


async def test_a_request_waits_in_place_for_a_downstream_that_is_soon_back() -> None:
    server = Server(httpx.ConnectError("no"), httpx.Response(200, json=YES))
    server.probe_answer = httpx.ConnectError("no")
    downstream = build_downstream(server, blips=30)
    resolving = asyncio.create_task(downstream.resolve(Serial("A"), build_key(), build_network()))
    await downstream.breaker.wait_open()
    assert not resolving.done()
    server.probe_answer = httpx.Response(401, json=NO)
    assert (await resolving).get_secret_value() == YES["result"]


@pytest.mark.parametrize(
    ("answer", "is_there"),
    [
        (httpx.Response(200, json=YES), True),
        (httpx.Response(401, json=NO), True),
        (httpx.Response(404, text="no such page"), True),
        (httpx.Response(429, json=NO), True),
        (httpx.Response(200, text="<p>Please sign in"), False),
        (httpx.Response(302), False),
        (httpx.Response(503, json=NO), False),
        (httpx.ConnectError("no"), False),
    ],
)
async def test_the_probe_tells_the_api_from_what_stands_in_its_way(
    answer: httpx.Response | Exception, *, is_there: bool
) -> None:
    server = Server()
    server.probe_answer = answer
    try:
        await build_downstream(server).probe()
    except TransientError:
        assert not is_there
    else:
        assert is_there


async def test_a_429_sets_the_profile_to_zero() -> None:
    server = Server(httpx.Response(429, headers={"Retry-After": "8"}, json=NO))
    directory = StaticDirectory(build_directory(build_key()))
    governor = Governor(directory, crowd=10)
    client = TransportClient(httpx.MockTransport(server), seconds=30)
    downstream = Downstream(client, directory, governor, in_flight=2, blip_seconds=0)
    with pytest.raises(ThrottledError):
        await downstream.resolve(Serial("A"), build_key(), build_network())
    assert governor.paused["default"] == pytest.approx(8, abs=1)
    assert not downstream.breaker.is_open


async def test_a_throttled_answer_carries_its_wait() -> None:
    server = Server(httpx.Response(429, json={"status": False, "message": "Too many requests (Retry-After: 8)"}))
    with pytest.raises(ThrottledError) as error:
        await build_downstream(server).resolve(Serial("A"), build_key(), build_network())
    assert error.value.retry_after is not None
    assert error.value.retry_after.total_seconds() == 8
