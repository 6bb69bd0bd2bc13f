"""The HTTP side of every stand-in: exact paths, JSON answers, one thread a connection."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


class WrongRequest(Exception):
    """The caller asked for something that makes no sense; its sentence becomes a 400 answer."""


@dataclass(frozen=True)
class Request:
    """What was asked. ``headers`` has lower-case names."""

    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Any:
        """The body as JSON. Raises ``WrongRequest`` when it is none."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise WrongRequest("the body is not JSON") from error

    def number(self, name: str, default: int) -> int:
        """A whole number from the query. Raises ``WrongRequest`` when it is none."""
        try:
            return int(self.query.get(name, default))
        except ValueError as error:
            raise WrongRequest(f"{name} is not a whole number") from error


@dataclass(frozen=True)
class Reply:
    """``content`` is sent as JSON, bytes as they are."""

    status: int
    content: Any
    content_type: str = "application/json"


Route = Callable[[Request], Reply]


class HttpApi:
    """Serves ``routes``, keyed ``(method, path)``, and ``GET /healthz``, from ``start`` to ``stop``.

    Port 0 takes a free one; ``port`` tells which.
    """

    def __init__(self, host: str, port: int, routes: Mapping[tuple[str, str], Route]) -> None:
        table = {("GET", "/healthz"): lambda request: Reply(200, {"status": "ok"}), **routes}
        self._server = _Server((host, port), type("Handler", (_Handler,), {"routes": table}))
        self.port: int = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 120
    routes: Mapping[tuple[str, str], Route]

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        route = self.routes.get((self.command, parts.path))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(
            query=dict(parse_qsl(parts.query)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
        )
        try:
            reply = route(request) if route else Reply(404, {"error": "there is nothing here"})
        except WrongRequest as error:
            reply = Reply(400, {"error": str(error)})
        self._send(reply)

    do_GET = do_PUT = do_POST = _answer

    def _send(self, reply: Reply) -> None:
        raw = isinstance(reply.content, bytes)
        content = reply.content if raw else json.dumps(reply.content, ensure_ascii=False).encode()
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: a query may hold a phone number."""
