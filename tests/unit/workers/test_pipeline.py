"""The spine against a downstream that answers over HTTP: once a good one, once one that fails every other call."""

from collections.abc import AsyncIterator

import httpx
import pytest

from common.envelope import Envelope
from common.reason import Reason
from common.serial import SerialRule
from tests.support.directories import StaticDirectory, build_directory, build_key, build_network
from tests.support.downstream import Mode, StubDownstream
from tests.support.uplinks import build_envelope
from workers import breaker, retrying
from workers.downstream import Downstream
from workers.governor import Governor
from workers.http_client import TransportClient
from workers.key_watch import KeyWatch
from workers.outcome import DeadLettered, Delivered, Outcome, RetryLater
from workers.pipeline import Pipeline
from workers.posting import Posting
from workers.resolver import Resolver

EUI = SerialRule(format="FF-FF-FF-FF-FF-FF-FF-FF", force_case="upper")

DIRECTORY = build_directory(
    build_key("factory"),
    build_key("lorawan", network="lorawan", field_map="serial=devEui;payload=data;encoding=base64;port=fPort"),
    build_key("stranger", network="strange"),
    networks=(build_network(), build_network("lorawan", serial=EUI), build_network("strange")),
)

TOKENS = ("n-plain", "n-lorawan")


@pytest.fixture(params=[Mode.GOOD, Mode.FLAKY])
def stub(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> StubDownstream:
    monkeypatch.setattr(retrying, "FIRST_WAIT_SECONDS", 0)
    monkeypatch.setattr(breaker, "FIRST_PAUSE_SECONDS", 0)
    return StubDownstream(mode=request.param, network_tokens=TOKENS)


@pytest.fixture
def directory() -> StaticDirectory:
    return StaticDirectory(DIRECTORY)


@pytest.fixture
async def pipeline(stub: StubDownstream, directory: StaticDirectory) -> AsyncIterator[Pipeline]:
    async with TransportClient(httpx.ASGITransport(stub.app), seconds=30) as client:
        governor = Governor(directory, crowd=10)
        downstream = Downstream(client, directory, governor, in_flight=8, blip_seconds=30)
        resolver = Resolver(downstream.resolve, cache_size=100, found_ttl=60, unknown_ttl=60)
        yield Pipeline(directory, resolver, Posting(downstream, resolver), KeyWatch())
        await downstream.breaker.stop()


async def process(pipeline: Pipeline, envelope: Envelope) -> dict[int, Outcome]:
    outcomes = await pipeline.process(envelope)
    assert len(outcomes) == len(envelope.items), "one outcome for each uplink"
    return {outcome.uplink.index: outcome for outcome in outcomes}


async def test_a_batch_for_several_devices_arrives(pipeline: Pipeline, stub: StubDownstream) -> None:
    envelope = build_envelope({"serial": "A", "payload": "00"}, {"serial": "B"}, {"serial": "A", "payload": "01"})
    outcomes = await process(pipeline, envelope)
    assert {type(outcome) for outcome in outcomes.values()} == {Delivered}
    assert dict(stub.arrived.uplinks) == {f"{envelope.group}/{n}": 1 for n in range(3)}
    assert stub.resolves == {"A": 1, "B": 1}


async def test_an_uplink_arrives_as_records(pipeline: Pipeline, stub: StubDownstream) -> None:
    item = {"devEui": "0a-1b-2c-3d-4e-5f-60-71", "data": "ABEqqg==", "fPort": "10", "rssi": -70}
    envelope = build_envelope(item, key="lorawan")
    await process(pipeline, envelope)
    assert stub.resolves == {"0A1B2C3D4E5F6071": 1}
    (post,) = stub.arrived.posts
    assert {record["variable"]: record["value"] for record in post.records} == {
        "serial": "0a-1b-2c-3d-4e-5f-60-71",
        "payload": "00112aaa",
        "port": 10,
        "rssi": -70,
    }
    assert {record["group"] for record in post.records} == {envelope.group}
    assert {record["time"][:26] for record in post.records} == {"2026-11-21T01:23:45.678901"}


async def test_each_uplink_of_a_request_gets_its_own_outcome(pipeline: Pipeline, stub: StubDownstream) -> None:
    good = {"devEui": "0A1B2C3D4E5F6071", "data": "00=="}
    items = (
        {**good, "data": "AA=="},
        {**good, "devEui": "0A1B"},
        {**good, "data": "!"},
        {"data": "AA=="},
        {**good, "note": "x" * 7_000},
        {**good, "data": "AQ=="},
    )
    outcomes = await process(pipeline, build_envelope(*items, key="lorawan"))
    reasons = {n: outcome.reason for n, outcome in outcomes.items() if isinstance(outcome, DeadLettered)}
    assert reasons == {
        1: Reason.SERIAL_MALFORMED,
        2: Reason.VALUE_REFUSED,
        3: Reason.SERIAL_MISSING,
        4: Reason.VALUE_REFUSED,
    }
    assert isinstance(outcomes[0], Delivered)
    assert isinstance(outcomes[5], Delivered)
    assert len(stub.arrived.uplinks) == 2


async def test_an_unknown_serial_is_dead_and_its_neighbours_arrive(pipeline: Pipeline) -> None:
    outcomes = await process(pipeline, build_envelope({"serial": "UNKNOWN-1"}, {"serial": "A"}))
    dead = outcomes[0]
    assert isinstance(dead, DeadLettered)
    assert dead.reason is Reason.SERIAL_UNKNOWN
    assert isinstance(outcomes[1], Delivered)


async def test_a_serial_with_a_slash_reaches_its_device(pipeline: Pipeline, stub: StubDownstream) -> None:
    await process(pipeline, build_envelope({"serial": "a/b%2F c"}))
    assert stub.resolves == {"a/b%2F c": 1}


async def test_a_refused_network_token_is_retried_later(pipeline: Pipeline) -> None:
    outcome = (await process(pipeline, build_envelope({"serial": "A"}, key="stranger")))[0]
    assert isinstance(outcome, RetryLater)
    assert outcome.reason is Reason.AUTHORIZATION_REFUSED


async def test_an_unknown_key_is_looked_for_once_more_and_then_retried(
    pipeline: Pipeline, directory: StaticDirectory
) -> None:
    outcomes = await process(pipeline, build_envelope({"serial": "A"}, {"serial": "B"}, key="new"))
    assert {(type(outcome), getattr(outcome, "reason", None)) for outcome in outcomes.values()} == {
        (RetryLater, Reason.KEY_UNKNOWN)
    }
    assert directory.refreshes == 1


async def test_a_key_that_the_refresh_finds_is_used(pipeline: Pipeline, directory: StaticDirectory) -> None:
    directory.next = build_directory(build_key("new"))
    outcome = (await process(pipeline, build_envelope({"serial": "A"}, key="new")))[0]
    assert isinstance(outcome, Delivered)


async def test_an_unknown_key_says_that_the_directory_is_away_when_it_is(
    pipeline: Pipeline, directory: StaticDirectory
) -> None:
    directory.degraded = "http://registry: connection refused"
    outcome = (await process(pipeline, build_envelope({"serial": "A"}, key="new")))[0]
    assert isinstance(outcome, RetryLater)
    assert outcome.reason is Reason.DIRECTORY_UNAVAILABLE
    assert "connection refused" in outcome.detail
