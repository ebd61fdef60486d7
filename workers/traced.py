"""A span for each request that a worker processes, as a part of the trace in which the ingest took it."""

from collections import Counter

from opentelemetry.trace import SpanKind

from common.envelope import Envelope
from common.tracing import read_context, start_span
from workers.consumer import Process
from workers.outcome import Outcome


def traced(process: Process) -> Process:
    """Give what processes a request within a span, which says at the end how many uplinks came to what."""

    async def process_traced(envelope: Envelope) -> list[Outcome]:
        with start_span("process uplinks", read_context(envelope.trace), SpanKind.CONSUMER) as span:
            outcomes = await process(envelope)
            if span.is_recording():
                span.set_attributes(
                    {
                        "sluice.group": envelope.group,
                        "sluice.key": envelope.key_id,
                        "sluice.attempt": envelope.attempt,
                        **{f"sluice.{name}": count for name, count in _count(outcomes).items()},
                    }
                )
            return outcomes

    return process_traced


def _count(outcomes: list[Outcome]) -> Counter[str]:
    return Counter(type(outcome).__name__ for outcome in outcomes)
