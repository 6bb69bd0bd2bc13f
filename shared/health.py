"""Health for operators, on a port of its own: ``/healthz``, ``/readyz``, ``/metrics``.

``/healthz`` says that this process answers, whatever state others are in: a supervisor that restarted it
because the database is away would only make things worse. ``/readyz`` asks each check, within a bound.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from shared import metrics
from shared.masking import named

CHECK_SECONDS = 2.0
CONNECTION_SECONDS = 5

Check = Callable[[], None]
Answer = tuple[str, str, bytes]


class NotReady(Exception):
    """Raised by a check, with a text that operators shall read. Of other errors they see the type alone."""


class Readiness:
    """Runs the checks side by side, each in a thread of its own and never twice at once."""

    def __init__(self, checks: Mapping[str, Check], check_seconds: float = CHECK_SECONDS) -> None:
        self._checks = dict(checks)
        self._check_seconds = check_seconds
        self._running: dict[str, _Run] = {}
        self._lock = threading.Lock()

    def problems(self) -> dict[str, str]:
        """What is not ready, and why: the text of a ``NotReady``, the type of another error, or no answer."""
        deadline = time.monotonic() + self._check_seconds
        runs = {name: self._run(name, check) for name, check in self._checks.items()}
        return {name: problem for name, run in runs.items() if (problem := run.outcome(deadline))}

    def _run(self, name: str, check: Check) -> _Run:
        with self._lock:
            run = self._running.get(name)
            if run is None or run.is_over():
                run = self._running[name] = _Run(check)
        return run


class _Run:
    """One check on its way. One that hangs is waited for again by the next probe, not started again."""

    def __init__(self, check: Check) -> None:
        self._over = threading.Event()
        self._problem = ""
        threading.Thread(target=self._work, args=(check,), name="readiness", daemon=True).start()

    def is_over(self) -> bool:
        return self._over.is_set()

    def outcome(self, deadline: float) -> str:
        in_time = self._over.wait(max(0.0, deadline - time.monotonic()))
        return self._problem if in_time else "no answer in time"

    def _work(self, check: Check) -> None:
        try:
            check()
        except NotReady as problem:
            self._problem = str(problem)
        except Exception as problem:
            self._problem = named(problem)
        finally:
            self._over.set()


class Application:
    """The three pages as a WSGI application."""

    def __init__(self, checks: Mapping[str, Check], check_seconds: float = CHECK_SECONDS) -> None:
        self._readiness = Readiness(checks, check_seconds)
        self._pages: dict[str, Callable[[], Answer]] = {
            "/healthz": lambda: _json("200 OK", {"status": "alive"}),
            "/readyz": self._readyz,
            "/metrics": lambda: ("200 OK", metrics.CONTENT_TYPE, metrics.exposition()),
        }

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        page = self._pages.get(environ.get("PATH_INFO", ""))
        if page is None:
            answer = _json("404 Not Found", {"pages": sorted(self._pages)})
        elif environ.get("REQUEST_METHOD") not in ("GET", "HEAD"):
            answer = _json("405 Method Not Allowed", {"allowed": ["GET", "HEAD"]})
        else:
            answer = page()
        status, content_type, body = answer
        headers = [
            ("Content-Type", content_type),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
        ]
        start_response(status, headers)
        return [] if environ.get("REQUEST_METHOD") == "HEAD" else [body]

    def _readyz(self) -> Answer:
        problems = self._readiness.problems()
        if problems:
            return _json("503 Service Unavailable", {"status": "not ready", "not_ready": problems})
        return _json("200 OK", {"status": "ready", "not_ready": {}})


class Server:
    """A running health server. ``port`` is the one it listens on, also when 0 was asked for."""

    def __init__(self, server: _ThreadingServer) -> None:
        self._server = server
        self.port: int = server.server_address[1]

    def close(self) -> None:
        """Stop listening."""
        self._server.close()


def serve(host: str, port: int, checks: Mapping[str, Check], check_seconds: float = CHECK_SECONDS) -> Server:
    """Serve the three pages from a daemon thread (a greenthread under eventlet).

    A check returns when its part is ready and raises when not. Raises ``OSError`` when the port is taken.
    """
    server = _ThreadingServer((host, port), _QuietHandler)
    server.set_app(Application(checks, check_seconds))
    threading.Thread(target=server.accept_until_closed, name="health", daemon=True).start()
    return Server(server)


class _QuietHandler(WSGIRequestHandler):
    timeout = CONNECTION_SECONDS

    def log_message(self, format: str, *args: Any) -> None:
        """Probes come every few seconds: not worth a line."""


class _ThreadingServer(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    closed = False

    def server_bind(self) -> None:
        """As the parent's, without asking the name service for the host's full name."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = map(str, self.server_address[:2])  # type: ignore[assignment]
        self.setup_environ()

    def accept_until_closed(self) -> None:
        """Accept in turn. Not ``serve_forever``: its selector would poll natively and stop the hub."""
        while not self.closed:
            try:
                request, address = self.get_request()
            except OSError:
                time.sleep(0.05)  # closing, or out of file descriptors
                continue
            self.process_request(request, address)

    def close(self) -> None:
        self.closed = True
        try:
            self.socket.shutdown(socket.SHUT_RDWR)  # wakes the accepting thread
        finally:
            self.server_close()


def _json(status: str, content: Mapping[str, object]) -> Answer:
    return status, "application/json", json.dumps(content).encode()
