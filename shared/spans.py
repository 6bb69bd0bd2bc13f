"""Sends the steps of traces to a collector of OpenTelemetry (OTLP over HTTP), where a process is told of one.

``shared/tracing.py`` keeps the traces; here they only become spans. OpenTelemetry is imported when it is
needed and not before: most processes never do. Sending has a thread of its own (green in a service), in
small batches, so that putting one together never holds the hub for long. What the collector does not take in
time is dropped; the process never waits for it, except for a moment when it stops.
"""

from __future__ import annotations

import threading
import uuid
from typing import Any

from shared import tracing

BATCH = 256
"""Spans in one request: making it takes 3 ms, during which a hub does nothing else."""
QUEUE = 4096
"""Spans that wait to be sent at the most; what comes on top is dropped."""
SEND_EVERY_SECONDS = 1.0
ANSWER_SECONDS = 5.0
STOP_SECONDS = 2.0

_processor: Any = None


def export(service: str, endpoint: str) -> None:
    """From now on send the steps of this process, which is ``service``, to the collector at ``endpoint``."""
    import requests
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    session = requests.Session()
    session.trust_env = False  # a proxy is for the outside, the collector is not
    exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=ANSWER_SECONDS, session=session)
    global _processor
    _processor = processor = BatchSpanProcessor(
        exporter,
        max_queue_size=QUEUE,
        schedule_delay_millis=SEND_EVERY_SECONDS * 1000,
        max_export_batch_size=BATCH,
    )
    resource = Resource({"service.name": f"vssid-{service}", "service.instance.id": str(uuid.uuid4())})
    tracing.export_to(lambda span: processor.on_end(readable(span, resource)))


def stop() -> None:
    """Send what waits, within ``STOP_SECONDS``, and send no more."""
    global _processor
    processor, _processor = _processor, None
    tracing.export_to(None)
    if processor is not None:
        flushing = threading.Thread(target=processor.force_flush, daemon=True)  # which knows no time-out
        flushing.start()
        flushing.join(STOP_SECONDS)


def readable(span: tracing.Span, resource: Any) -> Any:
    """OpenTelemetry's own form of a step that is over."""
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import SpanKind, Status, StatusCode

    return ReadableSpan(
        span.name,
        context=_context(span.context),
        parent=_context(span.parent) if span.parent else None,
        resource=resource,
        attributes={f"vssid.{name}": value for name, value in span.attributes.items()},
        kind=SpanKind[span.kind],
        status=Status(StatusCode.ERROR, span.failure) if span.failure else Status(StatusCode.UNSET),
        start_time=span.started_ns,
        end_time=span.ended_ns,
    )


def _context(context: tracing.TraceContext) -> Any:
    from opentelemetry.trace import SpanContext, TraceFlags

    return SpanContext(
        int(context.trace_id, 16), int(context.span_id, 16), is_remote=False, trace_flags=TraceFlags(1)
    )
