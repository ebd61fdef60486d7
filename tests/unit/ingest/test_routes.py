"""Every row of the table of what a gateway may send, at the level of HTTP."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp, Message

from common.health import Health
from common.queue.protocol import QueueUnavailableError
from ingest.acceptance import Acceptance
from ingest.routes import IngestApp, Limits, UplinkEndpoint, create_app
from tests.support.directories import StaticDirectory, build_directory, build_key
from tests.support.queues import FakeQueue
from tests.support.waiting import eventually
from tests.support.whole_requests import WholeTransport

AUTHORIZED = {"Authorization": "at-factory"}
JSON = {**AUTHORIZED, "Content-Type": "application/json"}
UPLINK = {"serial": "AA-BB-01", "payload": "0011AA", "port": 10}

KEYS = (
    build_key("factory"),
    build_key("mapped", field_map="serial=deviceInfo.serial;payload=data.raw"),
    build_key("netmore", field_map="array=one;serial=0.v.devEui"),
    build_key("kerlink", field_map="preset=kerlink-wanesy"),
    build_key("chirpstack", field_map="preset=chirpstack-v4"),
    build_key("slow", requests_per_minute=2),
    build_key("disabled", enabled=False),
    build_key("expired", expires_at=datetime.now(UTC) - timedelta(seconds=1)),
    build_key("expiring", expires_at=datetime.now(UTC) + timedelta(days=1)),
)


@pytest.fixture
def queue() -> FakeQueue:
    return FakeQueue()


@pytest.fixture
async def acceptance(queue: FakeQueue) -> AsyncIterator[Acceptance]:
    acceptance = Acceptance(queue, confirm_timeout=0.2, waiting_limit=5, queue_limit=10)
    watching = asyncio.create_task(acceptance.watch())
    await acceptance.gate.first_confirm.wait()
    queue.published.clear()
    yield acceptance
    watching.cancel()


@pytest.fixture
def app(acceptance: Acceptance) -> IngestApp:
    limits = Limits(body=2_000, items=5, seconds=0.2)
    endpoint = UplinkEndpoint(StaticDirectory(build_directory(*KEYS)), acceptance, limits)
    return create_app(endpoint, Health("ingest", list, started=True), {"openapi": "3.1.0"})


@pytest.fixture(params=[httpx.ASGITransport, WholeTransport], ids=["asgi", "whole"])
async def client(app: IngestApp, request: pytest.FixtureRequest) -> AsyncIterator[httpx.AsyncClient]:
    """Every row holds for a request that comes in pieces, and for one that comes whole."""
    async with httpx.AsyncClient(transport=request.param(app), base_url="http://ingest") as client:
        yield client


def assert_refused(response: httpx.Response, status: int, reason: str) -> dict[str, Any]:
    document: dict[str, Any] = response.json()
    assert (response.status_code, document["reason"]) == (status, reason), document
    assert document["status"] is False
    assert document["message"]
    return document


# Authorization


@pytest.mark.parametrize("value", ["at-factory", "Bearer at-factory", "bearer  at-factory", " at-factory "])
async def test_the_key_may_come_in_the_header_raw_or_as_bearer(client: httpx.AsyncClient, value: str) -> None:
    response = await client.post("/uplink", json=UPLINK, headers={"Authorization": value})
    assert response.status_code == 202


async def test_the_key_may_come_in_the_query(client: httpx.AsyncClient) -> None:
    response = await client.post("/uplink?authorization=at-factory", json=UPLINK)
    assert response.status_code == 202


async def test_the_header_counts_where_both_are_there_and_differ(client: httpx.AsyncClient, queue: FakeQueue) -> None:
    response = await client.post(
        "/uplink?authorization=at-factory", json=UPLINK, headers={"Authorization": "at-expiring"}
    )
    assert response.status_code == 202
    assert queue.accepted()[0].key_id == "expiring"
    response = await client.post("/uplink?authorization=at-factory", json=UPLINK, headers={"Authorization": "wrong"})
    assert_refused(response, 403, "authorization_unknown")


@pytest.mark.parametrize("headers", [{}, {"Authorization": ""}, {"Authorization": "Bearer "}])
async def test_no_key_is_401(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    assert_refused(await client.post("/uplink", json=UPLINK, headers=headers), 401, "authorization_missing")


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("at-nobody", "authorization_unknown"),
        ("at-disabled", "authorization_disabled"),
        ("at-expired", "authorization_disabled"),
    ],
)
async def test_an_unknown_disabled_or_expired_key_is_403_and_never_echoed(
    client: httpx.AsyncClient, token: str, reason: str
) -> None:
    response = await client.post("/uplink", json=UPLINK, headers={"Authorization": token})
    assert_refused(response, 403, reason)
    assert token not in response.text


async def test_the_authorization_never_reaches_the_queue(client: httpx.AsyncClient, queue: FakeQueue) -> None:
    await client.post("/uplink?authorization=at-factory&event=up", json=UPLINK)
    assert dict(queue.accepted()[0].query) == {"event": "up"}
    assert b"at-factory" not in queue.published[0].body


# Content type and coding


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=utf-8"])
async def test_json_is_accepted_with_parameters(client: httpx.AsyncClient, content_type: str) -> None:
    response = await client.post(
        "/uplink", content=json.dumps(UPLINK), headers={**AUTHORIZED, "Content-Type": content_type}
    )
    assert response.status_code == 202


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""])
async def test_another_content_type_with_a_body_is_415(client: httpx.AsyncClient, content_type: str) -> None:
    response = await client.post("/uplink", content=b"{}", headers={**AUTHORIZED, "Content-Type": content_type})
    assert "application/json" in assert_refused(response, 415, "content_type_unsupported")["message"]


async def test_gzip_is_accepted(client: httpx.AsyncClient, queue: FakeQueue) -> None:
    body = gzip.compress(json.dumps([UPLINK]).encode())
    body += gzip.compress(b" ")  # a second member, as the format allows
    response = await client.post("/uplink", content=body, headers={**JSON, "Content-Encoding": "gzip"})
    assert response.status_code == 202
    assert queue.accepted()[0].items == [(0, UPLINK)]


async def test_the_limit_counts_decoded_bytes(client: httpx.AsyncClient) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    response = await client.post("/uplink", content=bomb, headers={**JSON, "Content-Encoding": "gzip"})
    assert_refused(response, 413, "body_too_large")


@pytest.mark.parametrize("body", [b"no gzip", gzip.compress(json.dumps(UPLINK).encode())[:-9], gzip.compress(b"")[:9]])
async def test_broken_gzip_is_400(client: httpx.AsyncClient, body: bytes) -> None:
    response = await client.post("/uplink", content=body, headers={**JSON, "Content-Encoding": "gzip"})
    assert "gzip" in assert_refused(response, 400, "body_malformed")["message"]


async def test_another_coding_is_415(client: httpx.AsyncClient) -> None:
    response = await client.post("/uplink", content=b"x", headers={**JSON, "Content-Encoding": "br"})
    assert_refused(response, 415, "content_type_unsupported")


# Body


async def test_one_object_is_one_uplink(client: httpx.AsyncClient, queue: FakeQueue) -> None:
    response = await client.post("/uplink", json=UPLINK, headers=AUTHORIZED)
    envelope = queue.accepted()[0]
    assert response.status_code == 202
    assert response.json() == {"status": True, "result": "1 uplink accepted", "group": envelope.group}
    assert envelope.items == [(0, UPLINK)]
    assert len(envelope.group) == 24
    assert int(envelope.group, 16)
    assert abs(datetime.now(UTC) - envelope.arrived_at) < timedelta(minutes=1)


async def test_an_array_is_a_batch_with_one_group(client: httpx.AsyncClient, queue: FakeQueue) -> None:
    second = {**UPLINK, "serial": "AA-BB-02"}
    response = await client.post("/uplink", json=[UPLINK, second], headers=AUTHORIZED)
    assert response.json()["result"] == "2 uplinks accepted"
    assert queue.accepted()[0].items == [(0, UPLINK), (1, second)]
    assert queue.published[0].uplinks == 2


@pytest.mark.parametrize("body", [b"", b"  \n", b"[]", b"null", b" [ ] "])
async def test_an_empty_body_is_400(client: httpx.AsyncClient, body: bytes) -> None:
    document = assert_refused(await client.post("/uplink", content=body, headers=JSON), 400, "body_missing")
    assert document["message"].startswith("Missing body information")


async def test_an_empty_body_with_the_serial_in_the_query_is_one_uplink(
    client: httpx.AsyncClient, queue: FakeQueue
) -> None:
    response = await client.post("/uplink?serial=AA-BB-01&rssi=-70&authorization=at-factory")
    assert response.status_code == 202
    envelope = queue.accepted()[0]
    assert envelope.items == [(0, None)]
    assert dict(envelope.query) == {"serial": "AA-BB-01", "rssi": "-70"}


async def test_an_empty_body_with_a_mapped_serial_in_the_query_is_one_uplink(client: httpx.AsyncClient) -> None:
    response = await client.post("/uplink?deviceInfo.serial=AA", headers={"Authorization": "at-mapped"})
    assert response.status_code == 202


async def test_an_empty_object_is_an_object_without_a_serial(client: httpx.AsyncClient) -> None:
    assert_refused(await client.post("/uplink", content=b"{}", headers=JSON), 400, "serial_missing")


@pytest.mark.parametrize(
    ("body", "what"),
    [("[[1]]", "an array"), ("[1]", "a number"), ('["a"]', "a string"), ("[null]", "null"), ("3", "a number")],
)
async def test_an_item_that_is_no_object_refuses_the_request(client: httpx.AsyncClient, body: str, what: str) -> None:
    document = assert_refused(await client.post("/uplink", content=body, headers=JSON), 400, "item_not_object")
    assert what in document["message"]
    assert document["items"] == [0]


async def test_items_without_a_serial_refuse_the_request_and_are_all_named(
    client: httpx.AsyncClient, queue: FakeQueue
) -> None:
    items: list[Any] = [UPLINK, {"devadr": "12"}, UPLINK, {"serial": ""}, {"serial": True}]
    response = await client.post("/uplink", json=items, headers=AUTHORIZED)
    document = assert_refused(response, 400, "serial_missing")
    assert document["items"] == [1, 3, 4]
    assert "1, 3, 4" in document["message"]
    assert "devadr" in document["message"]
    assert queue.published == []


async def test_the_message_names_the_path_that_was_looked_for_and_the_keys_that_were_there(
    client: httpx.AsyncClient,
) -> None:
    response = await client.post(
        "/uplink", json={"deviceInfo": {"devEui": "AA"}}, headers={"Authorization": "at-mapped"}
    )
    message = assert_refused(response, 400, "serial_missing")["message"]
    assert "deviceInfo.serial" in message
    assert "devEui" in message


async def test_the_query_is_the_fallback_of_every_item(client: httpx.AsyncClient, queue: FakeQueue) -> None:
    response = await client.post("/uplink?serial=AA-BB-09", json=[{"a": 1}, {"a": 2}], headers=AUTHORIZED)
    assert response.status_code == 202
    assert dict(queue.accepted()[0].query) == {"serial": "AA-BB-09"}


async def test_a_top_level_array_is_one_uplink_where_the_key_says_so(
    client: httpx.AsyncClient, queue: FakeQueue
) -> None:
    body = [{"v": {"devEui": "AA"}}, {"n": "port"}]
    response = await client.post("/uplink", json=body, headers={"Authorization": "at-netmore"})
    assert response.json()["result"] == "1 uplink accepted"
    assert queue.accepted()[0].items == [(0, body)]


@pytest.mark.parametrize("body", ['{"serial": "AA",}', '{"serial": "AA"', b'"\xff"', '{"a": NaN}', "\ufeff{}"])
async def test_malformed_json_is_400_with_the_position(client: httpx.AsyncClient, body: str | bytes) -> None:
    document = assert_refused(await client.post("/uplink", content=body, headers=JSON), 400, "body_malformed")
    assert "line 1, column" in document["message"]
    assert isinstance(document["position"], int)


async def test_too_many_bytes_are_413(client: httpx.AsyncClient) -> None:
    response = await client.post("/uplink", json={**UPLINK, "long": "x" * 2_000}, headers=AUTHORIZED)
    assert "2000 bytes" in assert_refused(response, 413, "body_too_large")["message"]


async def test_too_many_items_are_413(client: httpx.AsyncClient) -> None:
    response = await client.post("/uplink", json=[UPLINK] * 6, headers=AUTHORIZED)
    assert "6 uplinks" in assert_refused(response, 413, "body_too_large")["message"]


@pytest.mark.parametrize("opening", ['{"a":', "["])
@pytest.mark.parametrize(("depth", "status"), [(199, 202), (200, 413), (900, 413)])
async def test_deep_nesting_is_taken_or_refused_and_never_a_crash(
    acceptance: Acceptance, opening: str, depth: int, status: int
) -> None:
    closing = "}" if opening.startswith("{") else "]"
    body = f'{{"serial":"A","deep":{opening * (depth)}1{closing * (depth)}}}'
    endpoint = UplinkEndpoint(
        StaticDirectory(build_directory(*KEYS)), acceptance, Limits(body=100_000, items=5, seconds=1)
    )
    app = create_app(endpoint, Health("ingest", list), {})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://ingest") as client:
        response = await client.post("/uplink", content=body, headers=JSON)
    assert response.status_code == status


async def test_a_body_that_does_not_come_is_408(app: ASGIApp) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/uplink",
        "query_string": b"",
        "headers": [(b"authorization", b"at-factory"), (b"content-type", b"application/json")],
    }
    await app(scope, receive, send)
    assert sent[0]["status"] == 408
    assert json.loads(sent[1]["body"])["reason"] == "request_timeout"


# Too much at once


async def test_a_key_over_its_rate_is_429_with_the_time_to_wait(client: httpx.AsyncClient) -> None:
    headers = {"Authorization": "at-slow"}
    assert [(await client.post("/uplink", json=UPLINK, headers=headers)).status_code for _ in range(2)] == [202, 202]
    response = await client.post("/uplink", json=UPLINK, headers=headers)
    assert_refused(response, 429, "rate_exceeded")
    assert 1 <= int(response.headers["Retry-After"]) <= 30
    assert (await client.post("/uplink", json=UPLINK, headers=AUTHORIZED)).status_code == 202


async def test_a_request_that_meets_an_absent_queue_takes_nothing_of_the_rate(
    client: httpx.AsyncClient, acceptance: Acceptance, queue: FakeQueue
) -> None:
    """Else an obedient sender that tries again would be refused for it when the queue is back."""
    queue.hold()
    await client.post("/uplink", json=UPLINK, headers=AUTHORIZED)
    slow = {"Authorization": "at-slow"}
    assert [(await client.post("/uplink", json=UPLINK, headers=slow)).status_code for _ in range(5)] == [503] * 5
    queue.release()
    await eventually(lambda: acceptance.gate.closed_because is None)
    assert (await client.post("/uplink", json=UPLINK, headers=slow)).status_code == 202


async def test_a_queue_that_refuses_is_503(client: httpx.AsyncClient, queue: FakeQueue) -> None:
    queue.refuse(QueueUnavailableError("the broker is away"))
    response = await client.post("/uplink", json=UPLINK, headers=AUTHORIZED)
    document = assert_refused(response, 503, "queue_unavailable")
    assert "the broker is away" in document["message"]
    assert int(response.headers["Retry-After"]) >= 1


async def test_a_queue_that_does_not_confirm_is_503_and_never_a_hang(
    client: httpx.AsyncClient, queue: FakeQueue
) -> None:
    queue.hold()
    response = await client.post("/uplink", json=UPLINK, headers=AUTHORIZED)
    assert_refused(response, 503, "queue_unavailable")


async def test_too_many_waiting_are_503(client: httpx.AsyncClient, queue: FakeQueue) -> None:
    queue.hold()
    answers = await asyncio.gather(*(client.post("/uplink", json=UPLINK, headers=AUTHORIZED) for _ in range(6)))
    assert {answer.status_code for answer in answers} == {503}
    assert sum("5 requests wait" in answer.json()["message"] for answer in answers) == 1


# Method, path, status


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_another_method_is_405_with_allow(client: httpx.AsyncClient, method: str) -> None:
    response = await client.request(method, "/uplink", headers=AUTHORIZED)
    assert_refused(response, 405, "method_not_allowed")
    assert response.headers["Allow"] == "POST"


async def test_a_post_to_the_status_page_is_405(client: httpx.AsyncClient) -> None:
    response = await client.post("/status", json=UPLINK)
    assert_refused(response, 405, "method_not_allowed")
    assert "GET" in response.headers["Allow"]


async def test_another_path_is_404_and_says_where_uplinks_go(client: httpx.AsyncClient) -> None:
    document = assert_refused(await client.post("/uplinks", json=UPLINK), 404, "path_unknown")
    assert "POST /uplink" in document["message"]


@pytest.mark.parametrize("path", ["/", "/status"])
async def test_the_status_page_says_that_it_runs(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path)
    assert (response.status_code, response.json()) == (200, {"status": True, "message": "Running"})


async def test_answers_are_json_and_carry_no_cors_headers(client: httpx.AsyncClient) -> None:
    for response in [
        await client.post("/uplink", json=UPLINK, headers={**AUTHORIZED, "Origin": "https://example.org"}),
        await client.get("/nowhere", headers={"Origin": "https://example.org"}),
    ]:
        assert response.headers["Content-Type"] == "application/json"
        assert not [name for name in response.headers if name.startswith("access-control")]


# Idempotency and trace


async def test_a_repeated_request_with_an_idempotency_key_has_the_same_group(client: httpx.AsyncClient) -> None:
    async def group(key: str = "1", token: str = "at-factory", serial: str = "A") -> str:
        headers = {"Authorization": token, "Idempotency-Key": key}
        response = await client.post("/uplink", json={"serial": serial}, headers=headers)
        return str(response.json()["group"])

    first = await group()
    assert await group() == first
    assert len({first, await group(key="2"), await group(token="at-expiring"), await group(serial="B")}) == 4


async def test_without_an_idempotency_key_a_repeated_request_is_a_new_one(client: httpx.AsyncClient) -> None:
    groups = {(await client.post("/uplink", json=UPLINK, headers=AUTHORIZED)).json()["group"] for _ in range(3)}
    assert len(groups) == 3


async def test_the_senders_trace_context_travels_with_the_request(client: httpx.AsyncClient, queue: FakeQueue) -> None:
    traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    await client.post("/uplink", json=UPLINK, headers={**AUTHORIZED, "traceparent": traceparent})
    await client.post("/uplink", json=UPLINK, headers=AUTHORIZED)
    assert [envelope.trace for envelope in queue.accepted()] == [{"traceparent": traceparent}, None]


# What would cost others


async def test_a_query_that_is_too_long_is_413(client: httpx.AsyncClient) -> None:
    for query in ("x=" + "y" * 9_000, "&".join(f"p{n}=1" for n in range(150))):
        assert_refused(await client.post(f"/uplink?{query}", json=UPLINK, headers=AUTHORIZED), 413, "body_too_large")


async def test_a_trace_that_is_too_long_is_dropped_and_the_uplink_is_not(
    client: httpx.AsyncClient, queue: FakeQueue
) -> None:
    headers = {**AUTHORIZED, "tracestate": "v" * 600, "traceparent": "00-1-2-01"}
    assert (await client.post("/uplink", json=UPLINK, headers=headers)).status_code == 202
    assert queue.accepted()[0].trace == {"traceparent": "00-1-2-01"}


async def test_an_empty_idempotency_key_is_none(client: httpx.AsyncClient) -> None:
    headers = {**AUTHORIZED, "Idempotency-Key": ""}
    groups = {(await client.post("/uplink", json=UPLINK, headers=headers)).json()["group"] for _ in range(2)}
    assert len(groups) == 2


async def test_endless_empty_gzip_members_are_413(client: httpx.AsyncClient) -> None:
    body = gzip.compress(b"") * 500
    response = await client.post("/uplink", content=body, headers={**JSON, "Content-Encoding": "gzip"})
    assert_refused(response, 413, "body_too_large")


# Items that are no uplinks


@pytest.mark.parametrize(
    ("key", "query", "items"),
    [
        ("kerlink", "", [{"dataDownId": "65e5", "status": "OK"}]),
        ("kerlink", "", [{"endDevice": {"devEui": "70B3"}, "payload": "00"}, {"dataDownId": "65e5"}]),
        ("chirpstack", "?event=join", [{"devAddr": "01ab"}]),
    ],
)
async def test_an_item_that_is_no_uplink_is_accepted_without_a_serial(
    client: httpx.AsyncClient, queue: FakeQueue, key: str, query: str, items: list[dict[str, Any]]
) -> None:
    response = await client.post(f"/uplink{query}", json=items, headers={"Authorization": f"at-{key}"})
    assert response.status_code == 202
    [envelope] = queue.accepted()
    assert [item for _, item in envelope.items] == items


@pytest.mark.parametrize(("key", "query"), [("kerlink", ""), ("chirpstack", "?event=up"), ("chirpstack", "")])
async def test_an_uplink_without_a_serial_is_refused_all_the_same(
    client: httpx.AsyncClient, key: str, query: str
) -> None:
    items = [{"dataDownId": "65e5"}, {"devAddr": "01ab"}] if key == "kerlink" else [{"devAddr": "01ab"}]
    response = await client.post(f"/uplink{query}", json=items, headers={"Authorization": f"at-{key}"})
    assert assert_refused(response, 400, "serial_missing")["items"] == [len(items) - 1]


async def test_a_refusal_names_the_path_that_was_probably_meant(client: httpx.AsyncClient) -> None:
    response = await client.post(
        "/uplink", json={"deviceInfo": {"serail": "AA"}}, headers={"Authorization": "at-mapped"}
    )
    assert "did you mean 'deviceInfo.serail'?" in assert_refused(response, 400, "serial_missing")["message"]
