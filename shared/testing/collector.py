"""A collector of traces for tests: OTLP over HTTP, in memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Seen:
    """A span as it arrived; ids are hexadecimal, ``parent_id`` is empty for the first of a trace."""

    service: str
    name: str
    kind: int
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, str]
    failure: str


class Collector:
    """What arrived so far at ``endpoint``. It answers with ``answer``, while ``going_on`` is set."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.answer = 200
        self.going_on = threading.Event()
        self.going_on.set()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.server.daemon_threads = True

    @property
    def endpoint(self) -> str:
        """What a process is told."""
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def spans(self) -> list[Seen]:
        """Every span that arrived."""
        return [seen for body in list(self.bodies) for seen in _spans(body)]


@contextmanager
def collector() -> Iterator[Collector]:
    """One that listens on a loopback port of its own."""
    made = Collector()
    threading.Thread(target=made.server.serve_forever, daemon=True).start()
    try:
        yield made
    finally:
        made.going_on.set()
        made.server.shutdown()
        made.server.server_close()


def _handler(collector: Collector) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.going_on.wait()
            if self.path == "/v1/traces" and collector.answer == 200:
                collector.bodies.append(body)
            self.send_response(collector.answer)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Tests read the spans, not the log."""

    return Handler


def _spans(body: bytes) -> Iterator[Seen]:
    for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        resource = {a.key: a.value.string_value for a in of_resource.resource.attributes}
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                yield Seen(
                    service=resource["service.name"].removeprefix("vssid-"),
                    name=span.name,
                    kind=span.kind,
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    attributes={
                        a.key.removeprefix("vssid."): a.value.string_value or str(a.value.int_value)
                        for a in span.attributes
                    },
                    failure=span.status.message,
                )
