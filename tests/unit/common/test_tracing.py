"""Traces: what a sender's context becomes, and what a span says and does not say."""

import sys
from collections.abc import Iterator

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.types import Receive, Scope, Send

from common import tracing
from common.tracing import TracedApp, TracesUnusableError, read_context, recording, start_span, write_context

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
SENDER = {"traceparent": f"00-{TRACE_ID}-00f067aa0ba902b7-01", "tracestate": "vendor=1"}


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """What is recorded."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing._PROCESS, "tracer", provider.get_tracer("sluice"))
    yield exporter
    provider.shutdown()


async def ask(app: TracedApp, path: str, headers: dict[str, str]) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://sluice") as client:
        return await client.post(path, headers=headers)


class App:
    """Remembers the trace context that it was given."""

    def __init__(self) -> None:
        self.seen: dict[str, str] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        self.seen = {k.decode(): v.decode() for k, v in scope["headers"] if k in {b"traceparent", b"tracestate"}}
        await send({"type": "http.response.start", "status": 202, "headers": []})
        await send({"type": "http.response.body", "body": b""})


async def ask_traced(exporter: InMemorySpanExporter, path: str, headers: dict[str, str]) -> tuple[App, ReadableSpan]:
    app = App()
    await ask(TracedApp(app), path, headers)
    (span,) = exporter.get_finished_spans()
    return app, span


async def test_a_request_becomes_part_of_its_senders_trace_and_hands_its_own_span_on(
    exporter: InMemorySpanExporter,
) -> None:
    app, span = await ask_traced(exporter, "/uplink", SENDER)
    assert (span.name, span.kind) == ("POST /uplink", trace.SpanKind.SERVER)
    assert f"{span.context.trace_id:032x}" == TRACE_ID
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == "00f067aa0ba902b7"
    assert app.seen["traceparent"] == f"00-{TRACE_ID}-{span.context.span_id:016x}-01"
    assert app.seen["tracestate"] == "vendor=1"
    assert span.attributes == {"http.response.status_code": 202}


async def test_a_request_without_a_trace_begins_one(exporter: InMemorySpanExporter) -> None:
    app, span = await ask_traced(exporter, "/uplink", {})
    assert span.parent is None
    assert app.seen["traceparent"].split("-")[2] == f"{span.context.span_id:016x}"


async def test_a_span_does_not_say_which_key_or_serial_was_asked_for(exporter: InMemorySpanExporter) -> None:
    _, span = await ask_traced(exporter, "/integration/network/resolve/SERIAL/at-secret?authorization=at-secret", {})
    assert span.name == "POST /integration"
    assert "secret" not in span.to_json()
    assert "SERIAL" not in span.to_json()


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
async def test_what_machines_ask_all_the_time_has_no_span(exporter: InMemorySpanExporter, path: str) -> None:
    await ask(TracedApp(App()), path, {})
    assert exporter.get_finished_spans() == ()


def test_without_a_collector_a_senders_context_is_passed_on_as_it_came() -> None:
    with recording(None, "sluice"), start_span("uplinks", read_context(SENDER)):
        assert write_context() == SENDER


@pytest.mark.parametrize("headers", [None, {}, {"traceparent": "no trace"}, {"tracestate": "vendor=1"}])
def test_without_a_trace_nothing_is_passed_on(headers: dict[str, str] | None) -> None:
    with start_span("uplinks", read_context(headers)):
        assert write_context() == {}


def test_what_is_missing_for_a_collector_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "common.span_exporting", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace.export", None)
    with pytest.raises(TracesUnusableError, match=r"install sluice\[traces\]"), recording("http://collector", "sluice"):
        pass
