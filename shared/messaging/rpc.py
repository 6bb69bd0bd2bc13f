"""``@rpc`` and the client: Nameko's wire protocol, with deadlines and errors that tell nothing private.

A stock Nameko client can call every method. On top of its protocol a call carries an absolute deadline (it
is not executed after that), a trace context and, for writes, the caller's idempotency key; an unknown service
fails at once; an unexpected error reaches the caller as ``InternalError`` and an id, its cause only the log.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, overload

import amqp
from nameko.extensions import DependencyProvider, Entrypoint, SharedExtension, register_entrypoint

from shared import logs, metrics, tracing
from shared.database import Transaction, is_away
from shared.messaging import topology
from shared.messaging.calls import (
    DATABASE_AWAY,
    CallFailed,
    CallRefused,
    CallTimeout,
    RpcClient,
    ServiceUnknown,
)
from shared.messaging.connection import UNREADABLE, LinkDown, message, publish_frames
from shared.messaging.runtime import Runtime
from shared.objects import ObjectsAway
from shared.refusals import Refused

__all__ = [
    "CallFailed", "CallRefused", "CallTimeout", "Client", "RpcClient", "ServiceUnknown", "rpc",
]  # fmt: skip

log = logs.get(__name__)

PREFETCH = 200
TOGETHER = 200
LARGEST_BODY_BYTES = 256 * 1024
DEFAULT_DEADLINE_SECONDS = 30.0
"""For callers that set none, such as a stock Nameko client."""

CLAIM_KEY = """
INSERT INTO idempotency (method, key, request_hash) VALUES (%(method)s, %(key)s, %(hash)s)
ON CONFLICT DO NOTHING
"""
STORED_REPLY = "SELECT request_hash, reply FROM idempotency WHERE method = %(method)s AND key = %(key)s"
STORE_REPLY = "UPDATE idempotency SET reply = %(reply)s WHERE method = %(method)s AND key = %(key)s"

REPLY_KEY = re.compile(r"reply\.[\w-]+\.[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""Where replies may go: to callers of ours and of stock Nameko, never on as a call of somebody's choice."""

Handler = Callable[..., Any]


class IdempotencyKeyReused(Refused):
    """The key was used before for another request."""

    vi = "Khóa chống lặp này đã được dùng cho một yêu cầu khác."
    en = "This idempotency key was used before for another request."


@overload
def rpc(handler: Handler) -> Any: ...
@overload
def rpc(
    *, writes: bool = False, asks_first: bool = False, together: bool = False
) -> Callable[[Handler], Any]: ...
def rpc(
    handler: Handler | None = None, *, writes: bool = False, asks_first: bool = False, together: bool = False
) -> Any:
    """Offer the method to callers as ``<service>.<method>``, keyword arguments only.

    A ``Refused`` that is raised undoes the transaction; one that is returned is a result like any other. A
    refusal by a service that was asked on the way (``CallRefused``) is the caller's to hear, unless caught.

    ``writes``: the kit opens the transaction, passes it as ``tx``, and keeps the reply under the caller's
    idempotency key for 24 hours. ``asks_first``: a write that asks another service before its transaction;
    the method gets ``write`` instead of ``tx``, hands it a function of ``tx``, and returns what it answers.
    ``together``: the method gets a list of keyword dicts, those of the calls in flight, and returns a list of
    results or ``Refused`` in the same order.
    """

    def register(handler: Handler) -> Any:
        @functools.wraps(handler)
        def run(self: Any, answer: Callable[[Handler], None]) -> None:
            answer(functools.partial(handler, self))

        run.is_rpc = True  # type: ignore[attr-defined]
        run.handler = handler  # type: ignore[attr-defined]
        register_entrypoint(run, Rpc(writes=writes, asks_first=asks_first, together=together))
        return run

    return register if handler is None else register(handler)


@dataclass(frozen=True)
class Call:
    """A call as it arrived. ``deadline`` is seconds since the epoch."""

    method: str
    kwargs: dict[str, Any]
    deadline: float
    reply_to: str
    correlation_id: str
    tag: int
    generation: int
    idempotency_key: str | None
    traceparent: str | None

    @property
    def is_late(self) -> bool:
        """Whether nobody waits for the answer any more."""
        return time.time() > self.deadline


class RpcServer(SharedExtension):  # type: ignore[misc]
    """The service's call queue, shared by its ``@rpc`` methods."""

    runtime = Runtime()

    def __init__(self, **kwargs: Any) -> None:
        self.methods: dict[str, Rpc] = {}
        self._consumer: amqp.Channel | None = None
        self._taking = True
        self._replies: amqp.Channel | None = None
        super().__init__(**kwargs)

    def setup(self) -> None:
        self.runtime.consuming.on_connect(self._consume)
        self.runtime.publishing.on_connect(self._open_replies)

    def stop_consuming(self) -> None:
        """Take no more calls."""
        taking, self._taking = self._taking, False
        channel = self._consumer
        if taking and channel is not None:
            try:
                self.runtime.consuming.write(
                    lambda: channel.send_method(amqp.spec.Basic.Cancel, "sb", ("rpc", True))
                )
            except LinkDown:
                log.info("no calls to stop: the broker is gone")

    def reply(self, call: Call, payload: Mapping[str, Any]) -> None:
        """Answer and acknowledge. When the broker is gone the caller hears of it by its own deadline."""
        try:
            body = json.dumps(payload, default=_plain).encode()
        except (TypeError, ValueError) as error:
            body = json.dumps(_failure(call.method, error)).encode()
        properties = {
            "content_type": "application/json",
            "content_encoding": "utf-8",
            "delivery_mode": 1,
            "correlation_id": call.correlation_id,
        }
        channel, reply_to = self._replies, call.reply_to
        try:
            if channel is not None and REPLY_KEY.fullmatch(reply_to):
                self.runtime.publishing.write(
                    lambda: publish_frames(channel, topology.RPC, reply_to, message(body, properties), False)
                )
        except LinkDown:
            log.info("a reply is lost: the broker is gone", method=call.method)
        self.acknowledge(call)

    def acknowledge(self, call: Call) -> None:
        """Tell the broker that the call is over."""
        channel = self._consumer
        if channel is not None and call.generation == self.runtime.consuming.generation:
            self.runtime.consuming.write(lambda: channel.basic_ack(call.tag), call.generation)

    def _open_replies(self, connection: amqp.Connection) -> None:
        self._replies = connection.channel()

    def _consume(self, connection: amqp.Connection) -> None:
        generation = self.runtime.consuming.generation
        channel = connection.channel()
        channel.basic_qos(0, PREFETCH, False)
        queue = f"rpc-{self.container.service_name}"
        self._consumer = channel
        channel.basic_consume(
            queue, consumer_tag="rpc", callback=lambda arrived: self._arrived(arrived, generation)
        )

    def _arrived(self, arrived: amqp.Message, generation: int) -> None:
        method = arrived.delivery_info["routing_key"].rpartition(".")[2]
        headers = arrived.properties.get("application_headers") or {}
        deadline_ms, key = headers.get("x-deadline"), headers.get("x-idempotency-key") or None
        call = Call(
            method=method,
            kwargs={},
            deadline=deadline_ms / 1000.0
            if isinstance(deadline_ms, int)
            else time.time() + DEFAULT_DEADLINE_SECONDS,
            reply_to=arrived.properties.get("reply_to", ""),
            correlation_id=arrived.properties.get("correlation_id", ""),
            tag=arrived.delivery_tag,
            generation=generation,
            idempotency_key=key,
            traceparent=headers.get("traceparent"),
        )
        entrypoint = self.methods.get(method)
        kwargs = _keyword_arguments(arrived.body) if key is None or isinstance(key, str) else None
        left_over = arrived.delivery_info["redelivered"] and deadline_ms is None
        if UNREADABLE in arrived.properties:
            self.acknowledge(call)  # nobody can be answered
        elif left_over:
            self.reply(call, _error("CallAbandoned", "CallAbandoned", "not executed again after a kill"))
        elif call.is_late:
            metrics.rpc_requests_total.labels(method if entrypoint else "unknown", "late").inc()
            self.acknowledge(call)
        elif entrypoint is None:
            self.reply(call, _error("MethodNotFound", "nameko.exceptions.MethodNotFound", method))
        elif kwargs is None:
            self.reply(
                call,
                _error(
                    "MalformedRequest",
                    "nameko.exceptions.MalformedRequest",
                    "send JSON with keyword arguments only: {args: [], kwargs: {…}}",
                ),
            )
        else:
            call.kwargs.update(kwargs)
            entrypoint.take(call)


class Rpc(Entrypoint):  # type: ignore[misc]
    """One ``@rpc`` method in one process."""

    runtime = Runtime()
    server = RpcServer()

    def __init__(
        self, writes: bool = False, asks_first: bool = False, together: bool = False, **kwargs: Any
    ) -> None:
        self.writes = writes
        self.asks_first = asks_first
        self.together = together
        super().__init__(**kwargs)

    def setup(self) -> None:
        self.name = f"{self.container.service_name}.{self.method_name}"
        self._waiting: deque[Call] = deque()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self.server.methods[self.method_name] = self

    def start(self) -> None:
        if self.together:
            self.container.spawn_managed_thread(self._run_together, identifier=self.name)

    def stop(self) -> None:
        self.server.stop_consuming()
        self._stopping.set()
        self._wake.set()

    def take(self, call: Call) -> None:
        """Have the call answered by a worker; never waits."""
        if self.together:
            self._waiting.append(call)
            self._wake.set()
        else:
            self._spawn(functools.partial(self._answer, call))

    def _spawn(self, work: Callable[[Handler], None], ended: threading.Event | None = None) -> None:
        def handle_result(_ctx: Any, result: Any, exc_info: Any) -> tuple[Any, Any]:
            if ended is not None:
                ended.set()
            return result, exc_info

        self.container.spawn_worker(self, (work,), {}, handle_result=handle_result)

    def _answer(self, call: Call, handler: Handler) -> None:
        started = time.perf_counter()
        if call.is_late:
            metrics.rpc_requests_total.labels(self.name, "late").inc()
            self.server.acknowledge(call)
            return
        with tracing.start(call.traceparent, self.name, tracing.SERVER):
            outcome, payload = self._outcome(lambda: self._execute(call, handler))
            tracing.describe(outcome=outcome)
            self.server.reply(call, payload)
        metrics.rpc_seconds.labels(self.name).observe(time.perf_counter() - started)
        metrics.rpc_requests_total.labels(self.name, outcome).inc()

    def _execute(self, call: Call, handler: Handler) -> dict[str, Any]:
        if not self.writes:
            return payload_of(handler(**call.kwargs))
        if self.asks_first:
            payload: dict[str, Any] = handler(write=functools.partial(self._write, call), **call.kwargs)
            return payload
        return self._write(call, lambda tx: handler(tx=tx, **call.kwargs))

    def _write(self, call: Call, change: Callable[[Transaction], Any]) -> dict[str, Any]:
        def write(tx: Transaction) -> dict[str, Any]:
            def execute() -> dict[str, Any]:
                return payload_of(change(tx))

            if call.idempotency_key is None:
                return execute()
            return once(tx, self.name, call.idempotency_key, call.kwargs, execute)

        payload: dict[str, Any] = self.runtime.database.change(write)
        return payload

    def _outcome(self, execute: Callable[[], dict[str, Any]]) -> tuple[str, dict[str, Any]]:
        try:
            payload = execute()
            return "refused" if payload["error"] else "ok", payload
        except (Refused, CallRefused) as refused:
            return "refused", _refusal(refused)
        except Exception as error:
            tracing.fail(error)
            return "failed", _failure(self.name, error)

    # -- calls in flight together ------------------------------------------------------------------------

    def _run_together(self) -> None:
        while not self._stopping.is_set():
            self._wake.wait()
            self._wake.clear()
            while self._waiting:
                calls = [self._waiting.popleft() for _ in range(min(TOGETHER, len(self._waiting)))]
                ended = threading.Event()
                self._spawn(functools.partial(self._answer_together, calls), ended)
                ended.wait()

    def _answer_together(self, calls: list[Call], handler: Handler) -> None:
        started = time.perf_counter()
        late = [call for call in calls if call.is_late]
        for call in late:
            metrics.rpc_requests_total.labels(self.name, "late").inc()
            self.server.acknowledge(call)
        calls = [call for call in calls if call not in late] if late else calls
        if not calls:
            return
        with tracing.start(calls[0].traceparent, self.name, tracing.SERVER):
            outcome, answered = self._outcome(lambda: self._execute_together(calls, handler))
            tracing.describe(outcome=outcome, calls=len(calls))
        payloads = answered["result"] if outcome == "ok" else [answered] * len(calls)
        for call, payload in zip(calls, payloads, strict=True):
            self.server.reply(call, payload)
        metrics.rpc_seconds.labels(self.name).observe(time.perf_counter() - started)
        metrics.rpc_requests_total.labels(self.name, outcome).inc(len(calls))

    @staticmethod
    def _execute_together(calls: list[Call], handler: Handler) -> dict[str, Any]:
        results = handler([call.kwargs for call in calls])
        if len(results) != len(calls):
            raise ValueError(f"{len(calls)} calls, {len(results)} results")
        return {"result": [payload_of(result) for result in results], "error": None}


class Calls(SharedExtension):  # type: ignore[misc]
    """The process's client, opened when the service declares a ``Client``."""

    runtime = Runtime()

    def start(self) -> None:
        self.client = RpcClient(self.runtime.settings.amqp_url, self.container.service_name)
        self.client.start()

    def stop(self) -> None:
        self.client.stop()


class Client(DependencyProvider):  # type: ignore[misc]
    """``identity = Client("identity", "check_citizen")``; then ``self.identity.check_citizen(…)``, with
    ``deadline_seconds`` and ``idempotency_key`` where they matter. What is not named here the broker refuses.

    Raises ``CallRefused``, ``CallTimeout``, ``CallFailed`` or ``ServiceUnknown``.
    """

    calls = Calls()

    def __init__(self, service: str, *methods: str, **kwargs: Any) -> None:
        self.service = service
        self.methods = methods
        super().__init__(**kwargs)

    def get_dependency(self, _worker_ctx: Any) -> _Proxy:
        return _Proxy(self.calls.client, self.service)


class _Proxy:
    def __init__(self, client: RpcClient, service: str) -> None:
        self._client = client
        self._service = service

    def __getattr__(self, method: str) -> Callable[..., Any]:
        def call(*, deadline_seconds: float = 5.0, idempotency_key: str | None = None, **kwargs: Any) -> Any:
            return self._client.call(self._service, method, kwargs, deadline_seconds, idempotency_key)

        return call


def once(
    tx: Transaction, method: str, key: str, kwargs: Mapping[str, Any], execute: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """Execute under an idempotency key: the first call executes and leaves its reply, in the same
    transaction; a later one gets that reply; one at the same time waits for the first.

    Raises ``IdempotencyKeyReused`` when the request differs. Sealed fields do not count, a sealed box being
    different each time it is made: a caller whose request is another one by what is sealed sends a plain
    ``secret_digest`` of it. Nor does ``client`` count, from where the request came.
    """
    if tx.run(CLAIM_KEY, {"method": method, "key": key, "hash": _hash_of(kwargs)}):
        reply = execute()
        tx.run(STORE_REPLY, {"method": method, "key": key, "reply": json.dumps(reply, default=_plain)})
        return reply
    before = replied(tx, method, key, kwargs)
    if before is None:
        raise IdempotencyKeyReused
    return before


def replied(tx: Transaction, method: str, key: str, kwargs: Mapping[str, Any]) -> dict[str, Any] | None:
    """The reply that was left under the key, None when there is none yet: for what is to be done before
    ``once``, and not for a repeat. Raises ``IdempotencyKeyReused``."""
    stored = tx.one(STORED_REPLY, {"method": method, "key": key})
    if stored is None:
        return None
    if bytes(stored["request_hash"]) != _hash_of(kwargs):
        raise IdempotencyKeyReused
    reply: dict[str, Any] = stored["reply"]
    return reply


def _hash_of(kwargs: Mapping[str, Any]) -> bytes:
    plain = {
        name: value for name, value in kwargs.items() if name != "client" and not name.startswith("sealed_")
    }
    return hashlib.sha256(json.dumps(plain, sort_keys=True, default=_plain).encode()).digest()


def payload_of(result: Any) -> dict[str, Any]:
    """How a result travels, and how a refusal: Nameko's error fields, and the sentences in ``refusal``."""
    if not isinstance(result, Refused):
        return {"result": result, "error": None}
    return _refusal(result)


def _refusal(refused: Refused | CallRefused) -> dict[str, Any]:
    """A refusal of ours, or one that a service asked on the way has given: the caller is told it as it is."""
    name = refused.name if isinstance(refused, CallRefused) else type(refused).__name__
    payload = _error(name, f"{type(refused).__module__}.{name}", refused.en)
    payload["error"]["refusal"] = {
        "vi": refused.vi,
        "en": refused.en,
        "problems": [{"field": p.field, "vi": p.vi, "en": p.en} for p in refused.problems],
        "details": refused.details,
    }
    return payload


def _failure(method: str, error: Exception) -> dict[str, Any]:
    """What the caller hears of an unexpected error: an id, by which the log knows the cause."""
    error_id = uuid.uuid4().hex
    if (
        is_away(error)
        or isinstance(error, ObjectsAway)
        or (isinstance(error, CallFailed) and not error.error_id)
    ):
        log.warning(
            "a call failed: database, object store, or a service asked on the way, is away",
            method=method,
            error=type(error).__name__,
        )
        return _error(DATABASE_AWAY, DATABASE_AWAY, error_id)
    log.error("call failed", method=method, error_id=error_id, exc_info=error)
    return _error("InternalError", "InternalError", error_id)


def _error(name: str, path: str, value: str) -> dict[str, Any]:
    args = [value] if path.startswith("nameko.") else []
    return {
        "result": None,
        "error": {"exc_type": name, "exc_path": path, "exc_args": args, "value": value},
    }


def _keyword_arguments(body: bytes | str) -> dict[str, Any] | None:
    """The keyword arguments of a request, or None when it is not one."""
    if len(body) > LARGEST_BODY_BYTES:
        return None
    try:
        request = json.loads(body)
        args, kwargs = request["args"], request["kwargs"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return kwargs if not args and isinstance(kwargs, dict) else None


def _plain(value: Any) -> str:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    raise TypeError(f"a reply may not hold {type(value).__name__}")
