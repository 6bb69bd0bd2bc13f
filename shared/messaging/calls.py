"""The calling side of RPC: one client for services (green threads) and the gateway (real ones).

Many calls share one connection. Each ends by its deadline with a reply or with a named error.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Mapping
from typing import Any

import amqp

from shared import metrics, tracing
from shared.messaging import topology
from shared.messaging.connection import Link, LinkDown, message, publish_frames
from shared.refusals import FieldProblem

DATABASE_AWAY = "DatabaseAway"
"""The ``reason`` of a call that failed because the callee's database or the object store is away: to be tried
again later."""
CONNECT_PATIENCE_SECONDS = 1.0
"""How long a call waits for a connection that is not up, at the most."""


class CallFailed(Exception):
    """The callee failed or was lost; ``error_id`` finds the cause in its log, if it said one."""

    def __init__(self, reason: str, error_id: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.error_id = error_id


class CallTimeout(CallFailed):
    """No reply by the deadline; whether it was executed is not known."""


class ServiceUnknown(CallFailed):
    """No service of that name has a queue."""


class CallRefused(Exception):
    """The callee refused; the caller may be told. ``name`` is the refusal's class name."""

    def __init__(
        self,
        name: str,
        vi: str,
        en: str,
        problems: tuple[FieldProblem, ...] = (),
        details: Mapping[str, str | int | bool] | None = None,
    ) -> None:
        super().__init__(name)
        self.name = name
        self.vi = vi
        self.en = en
        self.problems = problems
        self.details = dict(details or {})


OUTCOMES = {
    CallRefused: "refused",
    CallFailed: "failed",
    CallTimeout: "timeout",
    ServiceUnknown: "unknown",
}
"""How the metric names what a call may raise."""


class RpcClient:
    """Calls services; ``call`` may be used from any number of threads. ``name`` is the caller's, by which the
    broker knows the queue of its replies as its own."""

    def __init__(self, url: str, name: str = "client") -> None:
        self._name = name
        self._link = Link(url, f"{name}-calling")
        self._channel: amqp.Channel | None = None
        self._reply_to = ""
        self._open: dict[str, _Waiting] = {}
        self._link.on_connect(self._setup, self._give_up)

    def start(self) -> None:
        """Connect in the background."""
        self._link.start()

    def stop(self) -> None:
        """Close; calls in flight fail."""
        self._link.stop()

    @property
    def is_up(self) -> bool:
        """Whether the broker is connected."""
        return self._link.is_up

    def call(
        self,
        service: str,
        method: str,
        kwargs: Mapping[str, Any],
        deadline_seconds: float = 5.0,
        idempotency_key: str | None = None,
    ) -> Any:
        """Call ``service.method`` and return its result (JSON types).

        Raises ``CallRefused``, ``CallTimeout`` (no reply in ``deadline_seconds``), ``ServiceUnknown`` or
        ``CallFailed``.
        """
        name, outcome = f"{service}.{method}", "ok"
        try:
            with tracing.step(f"call {name}", tracing.CLIENT):
                return self._call(service, method, kwargs, deadline_seconds, idempotency_key)
        except (CallRefused, CallFailed) as error:
            outcome = OUTCOMES[type(error)]
            raise
        finally:
            metrics.rpc_calls_total.labels(name, outcome).inc()

    def _call(
        self,
        service: str,
        method: str,
        kwargs: Mapping[str, Any],
        deadline_seconds: float,
        idempotency_key: str | None,
    ) -> Any:
        deadline = time.time() + deadline_seconds
        if not self._link.wait_up(min(CONNECT_PATIENCE_SECONDS, deadline_seconds)):
            raise CallFailed("the broker is not connected")
        correlation_id = uuid.uuid4().hex
        headers: dict[str, Any] = {"x-deadline": int(deadline * 1000), **tracing.headers()}
        if idempotency_key is not None:
            headers["x-idempotency-key"] = idempotency_key
        request = message(
            json.dumps({"args": [], "kwargs": kwargs}, default=str).encode(),
            {
                "content_type": "application/json",
                "content_encoding": "utf-8",
                "delivery_mode": 1,
                "reply_to": self._reply_to,
                "correlation_id": correlation_id,
                "expiration": str(max(1, int((deadline - time.time()) * 1000))),
                "application_headers": headers,
            },
        )
        waiting = self._open[correlation_id] = _Waiting()
        try:
            self._send(f"{service}.{method}", request)
            if not waiting.ended.wait(max(0.0, deadline - time.time())):
                raise CallTimeout(f"{service}.{method} did not answer in {deadline_seconds:g} s")
            if waiting.failure is not None:
                raise waiting.failure
            return result_of(waiting.reply)
        finally:
            self._open.pop(correlation_id, None)

    def _send(self, routing_key: str, request: amqp.Message) -> None:
        channel = self._channel
        assert channel is not None
        try:
            self._link.write(lambda: publish_frames(channel, topology.RPC, routing_key, request, True))
        except LinkDown:
            raise CallFailed("the broker is not connected") from None

    def _setup(self, connection: amqp.Connection) -> None:
        channel = connection.channel()
        channel.events["basic_return"].add(self._returned)
        reply_to = f"reply.{self._name}.{uuid.uuid4().hex}"  # another one each time: the old one may linger
        channel.queue_declare(reply_to, exclusive=True, auto_delete=True)
        channel.queue_bind(reply_to, topology.RPC, reply_to)
        channel.basic_consume(reply_to, no_ack=True, callback=self._replied)
        self._channel, self._reply_to = channel, reply_to

    def _replied(self, reply: amqp.Message) -> None:
        waiting = self._open.get(reply.properties.get("correlation_id", ""))
        if waiting is not None:
            waiting.end(reply=reply.body)

    def _returned(self, _error: Exception, _exchange: str, routing_key: str, back: amqp.Message) -> None:
        waiting = self._open.get(back.properties.get("correlation_id", ""))
        if waiting is not None:
            waiting.end(failure=ServiceUnknown(f"no service offers {routing_key}"))

    def _give_up(self) -> None:
        for waiting in list(self._open.values()):
            waiting.end(failure=CallFailed("the connection to the broker was lost"))


class _Waiting:
    def __init__(self) -> None:
        self.ended = threading.Event()
        self.reply: bytes | str = b""
        self.failure: CallFailed | None = None

    def end(self, reply: bytes | str = b"", failure: CallFailed | None = None) -> None:
        self.reply, self.failure = reply, failure
        self.ended.set()


def result_of(body: bytes | str) -> Any:
    """The result in a reply; raises ``CallRefused`` or ``CallFailed`` for the error in it."""
    reply = json.loads(body)
    error = reply.get("error")
    if error is None:
        return reply.get("result")
    refusal = error.get("refusal")
    if refusal is None:
        raise CallFailed(error["exc_type"], error_id=str(error.get("value", "")))
    problems = tuple(FieldProblem(p["field"], p["vi"], p["en"]) for p in refusal["problems"])
    raise CallRefused(error["exc_type"], refusal["vi"], refusal["en"], problems, refusal["details"])
