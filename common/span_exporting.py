"""What records spans and sends them to a collector: OpenTelemetry's SDK, which only the extra ``traces`` brings."""

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

EXPORT_SECONDS = 2
"""For one export. A collector that is away costs its spans, and a process that stops no more than this."""


def create_provider(collector: str, service: str) -> TracerProvider:
    """Give what records the spans of a process under this name; ``collector`` is a URL that takes OTLP over HTTP."""
    exporter = OTLPSpanExporter(f"{collector.rstrip('/')}/v1/traces", timeout=EXPORT_SECONDS)
    provider = TracerProvider(resource=Resource.create({"service.name": service}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider
