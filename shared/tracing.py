"""W3C trace context: one trace id from the HTTP request through every event, call and job it causes."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from shared import logs

# version-traceid-parentid-flags; only versions after 00 may carry more (Trace Context Level 1, §3.2)
TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)
SAMPLED = 0x01
INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"
"""Kinds of steps, as OpenTelemetry names them."""


@dataclass(frozen=True)
class TraceContext:
    """A place in a trace: ``trace_id`` 32 and ``span_id`` 16 lower-case hexadecimal digits."""

    trace_id: str
    span_id: str
    sampled: bool = True

    @property
    def traceparent(self) -> str:
        """The header that hands this context on."""
        return f"00-{self.trace_id}-{self.span_id}-{SAMPLED if self.sampled else 0:02x}"


_current: ContextVar[TraceContext | None] = ContextVar("trace_context", default=None)


def parse(traceparent: object) -> TraceContext | None:
    """The context in a ``traceparent`` header, or None when it is missing or not valid, whatever it is."""
    match = TRACEPARENT.fullmatch(traceparent) if isinstance(traceparent, str) else None
    if match is None:
        return None
    version, trace_id, span_id, flags, more = match.groups()
    if version == "ff" or (version == "00" and more) or not int(trace_id, 16) or not int(span_id, 16):
        return None
    return TraceContext(trace_id, span_id, bool(int(flags, 16) & SAMPLED))


def generate() -> TraceContext:
    """A new trace."""
    return TraceContext(_random_hex(16), _random_hex(8))


def child(parent: TraceContext) -> TraceContext:
    """The next step of the same trace."""
    return TraceContext(parent.trace_id, _random_hex(8), parent.sampled)


def current() -> TraceContext | None:
    """The context of what is running now, if any."""
    return _current.get()


def headers() -> dict[str, str]:
    """What to send along with a message or a request: empty outside of a trace."""
    context = current()
    return {"traceparent": context.traceparent} if context else {}


@contextmanager
def start(traceparent: object, name: str = "", kind: str = INTERNAL, /, **ids: str) -> Iterator[TraceContext]:
    """Run a block as a step of the sender's trace, or of a new one when there is none; logs carry its id
    and the given ``ids``. ``name`` and ``kind`` are how it is shown where traces are exported."""
    parent = parse(traceparent)
    context = child(parent) if parent else generate()
    token = _current.set(context)
    try:
        with logs.bind(trace_id=context.trace_id, **ids):
            if _record is None:
                yield context
            else:
                with _shown(name, kind, context, parent, ids):
                    yield context
    finally:
        _current.reset(token)


# -- what is exported: nothing, until somebody asks for it -------------------------------------------------

Record = Callable[["Span"], None]


@dataclass
class Span:
    """A step that is over, as it is exported. ``attributes`` are ids and words of ours, never personal data;
    ``failure`` names the class of an error, empty for none. Times are nanoseconds since the epoch."""

    name: str
    kind: str
    context: TraceContext
    parent: TraceContext | None
    attributes: dict[str, str | int]
    started_ns: int
    ended_ns: int = 0
    failure: str = ""


_record: Record | None = None
_span: ContextVar[Span | None] = ContextVar("span", default=None)


def export_to(record: Record | None) -> None:
    """Have ``record`` called with each step that ends; it must not raise and must not wait. None: no more."""
    global _record
    _record = record


def is_exporting() -> bool:
    """Whether anybody wants to know."""
    return _record is not None


@contextmanager
def step(name: str, kind: str = INTERNAL, /, **ids: str | int) -> Iterator[None]:
    """Show a block as a part of the step that is running. Nothing but that: outside of a trace, or while
    nobody exports, it only runs."""
    parent = _current.get()
    if _record is None or parent is None:
        yield
        return
    context = child(parent)
    token = _current.set(context)
    try:
        with _shown(name, kind, context, parent, ids):
            yield
    finally:
        _current.reset(token)


def note(traceparent: object, name: str, kind: str, started_ns: int, /, **ids: str | int) -> None:
    """Show something that began at ``started_ns`` and ends now, as a step of the sender's trace."""
    parent = parse(traceparent)
    if _record is not None and parent is not None and parent.sampled:
        _record(Span(name, kind, child(parent), parent, ids, started_ns, time.time_ns()))


def rename(name: str) -> None:
    """Give the running step its name, once it is known."""
    span = _span.get()
    if span is not None:
        span.name = name


def describe(**ids: str | int) -> None:
    """Add to what is shown of the running step."""
    span = _span.get()
    if span is not None:
        span.attributes.update(ids)


def fail(failure: BaseException | str) -> None:
    """Show the running step as failed, by the class of the error alone."""
    span = _span.get()
    if span is not None:
        span.failure = failure if isinstance(failure, str) else type(failure).__name__


@contextmanager
def _shown(
    name: str, kind: str, context: TraceContext, parent: TraceContext | None, ids: Mapping[str, str | int]
) -> Iterator[None]:
    record = _record
    if record is None or not context.sampled:
        yield
        return
    span = Span(name, kind, context, parent, dict(ids), time.time_ns())
    token = _span.set(span)
    try:
        yield
    except BaseException as error:
        span.failure = type(error).__name__
        raise
    finally:
        _span.reset(token)
        span.ended_ns = time.time_ns()
        record(span)


def _random_hex(size_bytes: int) -> str:
    """Random digits, never all zeros, which the standard calls invalid. An id, not a secret."""
    return f"{random.randrange(1, 1 << (8 * size_bytes)):0{2 * size_bytes}x}"  # noqa: S311
