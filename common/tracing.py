"""Traces: one from a sender's request through the queue to the post, by OpenTelemetry.

Without a collector (``SLUICE_TRACES``) nothing is recorded, and the W3C context that a sender gave is passed on as it
came. What else there is to set, such as the share of requests that are sampled, OpenTelemetry's own environment
variables (``OTEL_…``) do. No span holds a token, a serial or a value.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import ASGIApp, Message, Receive, Scope, Send

UNTRACED = {"/healthz", "/readyz", "/metrics"}
"""Asked every few seconds by machines."""

_PROPAGATOR = TraceContextTextMapPropagator()


@dataclass(slots=True)
class _Process:
    """What records the spans of this process. OpenTelemetry's own place for it costs ten times as much to ask."""

    tracer: Tracer | None = None


_PROCESS = _Process()


class TracesUnusableError(Exception):
    """A collector is named, and what sends to it is not installed."""


@contextmanager
def recording(collector: str | None, service: str) -> Iterator[None]:
    """Record the spans of this process under this name until the end of the block, and send them to the collector.

    ``collector`` is the URL of one that takes OTLP over HTTP; None: nothing is recorded. Once per process. Raises
    :class:`TracesUnusableError`.
    """
    if collector is None:
        yield
        return
    try:
        from common.span_exporting import create_provider  # noqa: PLC0415 - what it imports is an extra
    except ModuleNotFoundError as error:
        raise TracesUnusableError(
            f"SLUICE_TRACES is set, but {error.name} is not installed: install sluice[traces]"
        ) from None
    provider = create_provider(collector, service)
    _PROCESS.tracer = provider.get_tracer("sluice")
    try:
        yield
    finally:
        _PROCESS.tracer = None
        provider.shutdown()


def start_span(
    name: str, context: Context | None = None, kind: SpanKind = SpanKind.INTERNAL
) -> AbstractContextManager[Span]:
    """Have a span last as long as a block, as a part of the given context or else of the current one.

    Where nothing is recorded there is only a context to pass on, and without that nothing to do: a worker comes here
    several times for each uplink.
    """
    if _PROCESS.tracer is not None:
        return _PROCESS.tracer.start_as_current_span(name, context, kind)
    return nullcontext(INVALID_SPAN) if context is None else trace.use_span(trace.get_current_span(context))


def read_context(headers: Mapping[str, str] | None) -> Context | None:
    """Give the context that W3C headers (``traceparent``, ``tracestate``) hold; None without any."""
    return _PROPAGATOR.extract(headers, Context()) if headers else None


def write_context() -> dict[str, str]:
    """Give the headers of the context that is current; none where there is no trace."""
    headers: dict[str, str] = {}
    _PROPAGATOR.inject(headers)
    return headers


class TracedApp:
    """Gives each request to an app a span, and to the app the span's context in place of the sender's."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http" or scope["path"] in UNTRACED:
            await self._app(scope, receive, send)
            return
        # Of the path the first part alone: what follows may be a serial, a key or somebody's id.
        name = f"{scope['method']} /{scope['path'].split('/')[1]}"
        with start_span(name, read_context(_read_headers(scope)), SpanKind.SERVER) as span:

            async def send_noting(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                await send(message)

            await self._app(_with_context(scope), receive, send_noting)


def _read_headers(scope: Scope) -> dict[str, str]:
    return {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in scope["headers"]
        if name in {b"traceparent", b"tracestate"}
    }


def _with_context(scope: Scope) -> Scope:
    kept = [(name, value) for name, value in scope["headers"] if name not in {b"traceparent", b"tracestate"}]
    current = [(name.encode(), value.encode()) for name, value in write_context().items()]
    return {**scope, "headers": [*kept, *current]}
