"""One trace from the sender's request through the queue to the post, as a collector receives it."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support.system import AUTHORIZATION, NETWORK_TOKEN, System
from tests.support.waiting import eventually

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
SENDER = {"traceparent": f"00-{TRACE_ID}-00f067aa0ba902b7-01"}


class Collector:
    """Takes OTLP over HTTP, and keeps what it got."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._create_handler())
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def spans(self) -> list[tuple[str, Span]]:
        """Give each span with the service that recorded it."""
        return [
            (next(a.value.string_value for a in resource.resource.attributes if a.key == "service.name"), span)
            for body in list(self.bodies)
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def _create_handler(self) -> type[BaseHTTPRequestHandler]:
        bodies = self.bodies

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        return Handler


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    yield collector
    collector.close()


def send(url: str) -> None:
    headers = {"Authorization": AUTHORIZATION, **SENDER}
    assert httpx.post(f"{url}/uplink", json=[{"serial": "A"}, {"serial": "B"}], headers=headers).status_code == 202


async def test_a_request_is_one_trace_from_its_sender_to_the_downstream(system: System, collector: Collector) -> None:
    settings = {"SLUICE_TRACES": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100", "OTEL_RESOURCE_ATTRIBUTES": ""}
    ingest, worker = system.start_ingest(**settings), system.start_worker(**settings)
    send(ingest.url)

    def find_posts() -> list[Span]:
        return [span for _, span in collector.spans() if span.name == "POST data"]

    await eventually(lambda: len(find_posts()) == 2 and len(by_name(collector)) == 5)
    spans = [span for _, span in collector.spans() if span.trace_id.hex() == TRACE_ID]
    ids = {span.span_id: span.name for span in spans}
    services = by_name(collector)
    assert services["POST /uplink"] == "sluice-ingest"
    assert services["POST data"] == "sluice-worker"
    path = {span.name: ids.get(span.parent_span_id, span.parent_span_id.hex()) for span in spans}
    assert path == {
        "POST /uplink": "00f067aa0ba902b7",
        "process uplinks": "POST /uplink",
        "GET resolve": "process uplinks",
        "post uplinks": "process uplinks",
        "POST data": "post uplinks",
    }
    await eventually(lambda: len(system.posts()) == 2)
    posts = {str(post["traceparent"]) for post in system.posts()}
    assert posts == {f"00-{TRACE_ID}-{span.span_id.hex()}-01" for span in find_posts()}
    for process in (ingest, worker):
        process.terminate()
        assert process.wait() == 0
    assert not [secret for secret in (AUTHORIZATION, NETWORK_TOKEN) if secret.encode() in b"".join(collector.bodies)]


def by_name(collector: Collector) -> dict[str, str]:
    """Give the names of the spans of the sender's trace, each with its service."""
    return {span.name: service for service, span in collector.spans() if span.trace_id.hex() == TRACE_ID}


async def test_without_a_collector_the_senders_trace_goes_on_to_the_downstream_as_it_came(system: System) -> None:
    ingest = system.start_ingest()
    system.start_worker()
    send(ingest.url)
    await eventually(lambda: len(system.posts()) == 2)
    assert {post["traceparent"] for post in system.posts()} == {SENDER["traceparent"]}


async def test_a_collector_that_is_away_holds_nobody_up(system: System) -> None:
    settings = {"SLUICE_TRACES": "http://127.0.0.1:9", "OTEL_BSP_SCHEDULE_DELAY": "100"}
    ingest, worker = system.start_ingest(**settings), system.start_worker(**settings)
    send(ingest.url)
    await eventually(lambda: len(system.posts()) == 2)
    for process in (ingest, worker):
        process.terminate()
        assert process.wait() == 0
