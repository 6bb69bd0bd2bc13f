"""W3C trace context: one trace id from the HTTP request through every event, call and job it causes."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from shared import logs

# version-traceid-parentid-flags; only versions after 00 may carry more (Trace Context Level 1, §3.2)
TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)
SAMPLED = 0x01


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
def start(traceparent: object, **ids: str) -> Iterator[TraceContext]:
    """Run a block as a step of the sender's trace, or of a new one when there is none; logs carry its id
    and the given ``ids``."""
    parent = parse(traceparent)
    context = child(parent) if parent else generate()
    token = _current.set(context)
    try:
        with logs.bind(trace_id=context.trace_id, **ids):
            yield context
    finally:
        _current.reset(token)


def _random_hex(size_bytes: int) -> str:
    """Random digits, never all zeros, which the standard calls invalid. An id, not a secret."""
    return f"{random.randrange(1, 1 << (8 * size_bytes)):0{2 * size_bytes}x}"  # noqa: S311
