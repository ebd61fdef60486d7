"""What the console sees of the other processes, and what it makes of it."""

import asyncio
import json
import ssl
from datetime import UTC, datetime, timedelta
from ssl import PROTOCOL_TLS_CLIENT, PROTOCOL_TLS_SERVER

import httpx
import pytest
import trustme
from starlette.applications import Starlette

from common import metrics
from common.health import Health, create_health_routes
from common.queue.protocol import Depths, QueueUnavailableError
from console.overview import draw_ages, list_states, sum_rates
from console.processes import (
    COUNTED,
    Growth,
    Look,
    Processes,
    ProcessState,
    list_distinct,
    measure_growth,
    parse_process,
    read_process,
)
from tests.support.queues import FakeQueue
from tests.support.waiting import eventually
from tests.unit.console.browser import Browser, read_text
from tests.unit.console.surroundings import Surroundings

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
READY = {"status": True, "role": "worker", "draining": False, "degraded": []}
METRICS = """
sluice_process_start_time_seconds 1.7e+09
sluice_uplinks_accepted_total 10.0
sluice_uplinks_delivered_total 7.0
sluice_uplinks_dead_total{reason="serial_unknown"} 1.0
sluice_uplinks_dead_total{reason="parser_failed"} 2.0
sluice_oldest_uplink_age_seconds{where="queue"} 3.5
sluice_oldest_uplink_age_seconds{where="worker"} 1.5
sluice_breaker_open 1.0
sluice_gate_closed 0.0
"""


def build_state(url: str = "http://worker", *, started: float = 1.7e9, **known: object) -> ProcessState:
    return ProcessState(url, **{"role": "worker", "ready": True, "started": started, **known})  # type: ignore[arg-type]


def build_look(*processes: ProcessState, at: datetime = NOW, **known: object) -> Look:
    return Look(at, processes, **{"depths": Depths(0, 0, 0, 0, 0), **known})  # type: ignore[arg-type]


def build_growth(seconds: float = 10.0, age: float = 0.0, **counted: float) -> Growth:
    return Growth(NOW, seconds, dict.fromkeys(COUNTED, 0.0) | counted, age)


def create_client(role: str, degraded: list[str]) -> httpx.AsyncClient:
    """Give a client of a process in this one."""
    health = Health(role, lambda: degraded, started=True)
    app = Starlette(routes=create_health_routes(health))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=f"http://{role}")


def test_samples_are_added_up_over_their_labels_and_the_greatest_age_counts() -> None:
    state = parse_process("http://worker", READY, METRICS)
    assert state.counted == {"accepted": 10, "delivered": 7, "set_aside": 0, "retried": 0, "dead": 3}
    assert (state.oldest_age, set(state.flags), state.started) == (3.5, {"breaker"}, 1.7e9)


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (httpx.Response(200, text="<html>"), "no process of Sluice"),
        (httpx.Response(200, json=["x"]), "no process of Sluice"),
        (httpx.Response(404, json={"status": False}), "no process of Sluice"),
    ],
)
async def test_what_is_no_process_of_ours_is_said_so(answer: httpx.Response, fault: str) -> None:
    transport = httpx.MockTransport(lambda _: answer)
    async with httpx.AsyncClient(transport=transport, base_url="http://other") as client:
        state = await read_process(client)
    assert fault in (state.fault or "")


async def test_a_process_that_does_not_answer_is_a_state_and_no_error() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    async with httpx.AsyncClient(transport=httpx.MockTransport(refuse), base_url="http://gone") as client:
        assert await read_process(client) == ProcessState("http://gone", fault="does not answer: ConnectError")


async def test_every_replica_behind_a_name_is_asked_and_takes_itself_for_the_one_of_that_name() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json=READY) if request.url.path == "/readyz" else httpx.Response(200, text=METRICS)

    async def find_addresses(host: str) -> list[str]:
        return {"worker": ["10.0.0.1", "fd00::2"]}.get(host, [])

    transport = httpx.MockTransport(answer)
    urls = ("https://worker:8083", "https://ingest:8080/behind")
    clients = [httpx.AsyncClient(transport=transport, base_url=url) for url in urls]
    processes = Processes(clients, FakeQueue(), find_addresses)
    look = await processes.look()
    await processes.close()
    assert [process.url for process in look.processes] == [
        "https://10.0.0.1:8083", "https://[fd00::2]:8083", "https://ingest:8080/behind"
    ]  # fmt: skip
    assert {str(request.url.copy_with(path="/")): request.headers["Host"] for request in asked} == {
        "https://10.0.0.1:8083/": "worker:8083",
        "https://[fd00::2]:8083/": "worker:8083",
        "https://ingest:8080/": "ingest:8080",
    }
    assert {request.extensions["sni_hostname"] for request in asked} == {"worker", "ingest"}


async def test_a_replica_that_is_asked_by_its_address_shows_the_certificate_of_its_name() -> None:
    authority, server, trust = trustme.CA(), *(ssl.SSLContext(p) for p in (PROTOCOL_TLS_SERVER, PROTOCOL_TLS_CLIENT))
    authority.issue_cert("worker").configure_cert(server)
    authority.configure_trust(trust)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            await reader.readuntil(b"\r\n\r\n")
            body = METRICS if b" /metrics " in line else json.dumps(READY)
            writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=server) as listening:
        port = listening.sockets[0].getsockname()[1]
        for name, is_read in (("worker", True), ("ingest", False)):
            async with httpx.AsyncClient(verify=trust, base_url=f"https://{name}:{port}") as client:
                state = await read_process(client, "127.0.0.1")
            assert (state.fault is None) is is_read, state


@pytest.mark.parametrize("error", [OSError("nobody has the name"), TimeoutError(), UnicodeError("a label is empty")])
async def test_where_a_name_is_nobody_s_it_is_asked_all_the_same_and_that_says_so(error: Exception) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no address", request=request)

    async def find_addresses(_: str) -> list[str]:
        raise error

    client = httpx.AsyncClient(transport=httpx.MockTransport(refuse), base_url="http://gone")
    processes = Processes([client], FakeQueue(), find_addresses)
    assert [process.fault for process in (await processes.look()).processes] == ["does not answer: ConnectError"]
    await processes.close()


def test_growth_is_what_each_process_counted_in_between() -> None:
    before = build_look(build_state(counted={"accepted": 10.0}), at=NOW - timedelta(seconds=10))
    now = build_look(build_state(counted={"accepted": 25.0}))
    growth = measure_growth(before, now)
    assert (growth.counted["accepted"], growth.seconds) == (15.0, 10.0)


def test_a_process_that_was_restarted_counts_from_nothing_and_one_that_was_not_seen_not_at_all() -> None:
    before = build_look(at=NOW - timedelta(seconds=10))
    restarted = build_state(started=NOW.timestamp() - 5, counted={"accepted": 4.0})
    unseen = build_state("http://other", started=NOW.timestamp() - 500, counted={"accepted": 1_000.0})
    assert measure_growth(before, build_look(restarted, unseen)).counted["accepted"] == 4.0


def test_the_roles_of_one_process_are_counted_once() -> None:
    roles = [build_state(f"http://{role}", counted={"accepted": 5.0}) for role in ("ingest", "worker")]
    assert len(list_distinct(roles)) == 1
    before = build_look(build_state(counted={"accepted": 0.0}), at=NOW - timedelta(seconds=10))
    assert measure_growth(before, build_look(*roles)).counted["accepted"] == 5.0


def test_rates_are_a_minute_over_all_that_was_seen() -> None:
    growths = [build_growth(10.0, accepted=5.0), build_growth(20.0, accepted=10.0)]
    assert sum_rates(growths)["accepted"] == 30.0
    assert sum_rates([]) == dict.fromkeys(COUNTED, 0.0)


def test_ages_are_drawn_from_left_to_right_the_greatest_at_the_top() -> None:
    assert draw_ages([build_growth(age=0.0), build_growth(age=5.0)]) == "0.0,60.0 360.0,2.0"
    assert draw_ages([build_growth(age=5.0)]) == ""
    assert draw_ages([build_growth(), build_growth()]) == ""


@pytest.mark.parametrize(
    ("look", "name", "level", "word"),
    [
        (build_look(), "Queue", "good", "there"),
        (build_look(depths=None, queue_fault="the broker is away"), "Queue", "bad", "away"),
        (build_look(build_state(flags=frozenset({"gate"}))), "Ingest", "bad", "closed"),
        (build_look(build_state(flags=frozenset({"breaker"}))), "Breaker", "bad", "open"),
        (build_look(build_state(flags=frozenset({"directory"}))), "Directory", "bad", "degraded"),
        (build_look(build_state()), "Downstream and resolver", "good", "there"),
        (build_look(build_state(degraded=("downstream: 502",))), "Downstream and resolver", "bad", "in trouble"),
        (build_look(build_state(role="ingest")), "Downstream and resolver", "warning", "unknown"),
        (build_look(build_state(oldest_age=90.0)), "Workers", "warning", "late"),
        (build_look(build_state(fault="does not answer")), "worker", "bad", "away"),
        (build_look(build_state(draining=True)), "worker", "warning", "stopping"),
        (build_look(build_state(ready=False)), "worker", "bad", "not ready"),
        (build_look(build_state(degraded=("queue: x",))), "worker", "warning", "degraded"),
        (build_look(build_state()), "worker", "good", "ready"),
        (build_look(build_state("http://10.0.0.7:8083")), "worker at http://10.0.0.7:8083", "good", "ready"),
        (build_look(build_state("http://a:1", role="", fault="no answer")), "Process at http://a:1", "bad", "away"),
    ],
)
def test_each_part_is_said_in_a_word_and_a_colour(look: Look, name: str, level: str, word: str) -> None:
    state = next(state for state in list_states(look) if state.name == name)
    assert (state.level, state.word) == (level, word)


async def test_it_looks_again_and_again_and_keeps_what_was_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.processes.LOOK_SECONDS", 0.01)
    processes = Processes([create_client("ingest", [])], FakeQueue())
    watching = asyncio.create_task(processes.watch())
    await eventually(lambda: len(processes.growths) >= 2)
    metrics.UPLINKS_ACCEPTED.inc(3)
    await eventually(lambda: sum(growth.counted["accepted"] for growth in processes.growths) == 3)
    watching.cancel()
    await processes.close()


async def test_the_page_says_how_each_part_is(surroundings: Surroundings, browser: Browser) -> None:
    surroundings.processes += [create_client("worker", ["downstream: <b>502</b>"]), create_client("ingest", [])]
    page = await browser.open("/")
    text = read_text(page)
    assert "Downstream and resolver in trouble downstream: <b>502</b>" in text
    assert "<b>502" not in page
    assert " ingest ready" in text
    assert read_text(f"<main{await browser.open('/overview')}").startswith("Where the uplinks are")


async def test_while_the_queue_is_away_the_page_still_comes(
    queue: FakeQueue, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away() -> Depths:
        raise QueueUnavailableError("the broker is away")

    monkeypatch.setattr(queue, "depths", away)
    assert "Queue away the broker is away" in read_text(await browser.open("/"))
