"""Trace context: the W3C header, read strictly and handed on."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from shared import tracing

HEX = "0123456789abcdef"
EXAMPLE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def hex_of(length: int) -> st.SearchStrategy[str]:
    return st.text(HEX, min_size=length, max_size=length)


def test_the_example_of_the_standard_is_read() -> None:
    context = tracing.parse(EXAMPLE)
    assert context == tracing.TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", True)


@given(
    hex_of(32).filter(lambda i: set(i) != {"0"}), hex_of(16).filter(lambda i: set(i) != {"0"}), st.booleans()
)
def test_what_is_written_is_read_back(trace_id: str, span_id: str, sampled: bool) -> None:
    context = tracing.TraceContext(trace_id, span_id, sampled)
    assert tracing.parse(context.traceparent) == context


@given(st.text(max_size=80) | st.from_regex(r"[0-9a-f]{2}-[0-9a-fA-F]{30,34}-[0-9a-f]{15,17}-[0-9a-f]{2}.?"))
def test_any_text_gives_a_valid_context_or_none(text: str) -> None:
    context = tracing.parse(text)
    if context is not None:
        assert tracing.parse(context.traceparent) == context


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        EXAMPLE.upper(),
        EXAMPLE + "-more",
        EXAMPLE + "\n",
        " " + EXAMPLE,
        "ff" + EXAMPLE[2:],
        "01" + EXAMPLE[2:] + "x",
        EXAMPLE.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0" * 32),
        EXAMPLE.replace("00f067aa0ba902b7", "0" * 16),
        EXAMPLE.replace("4bf92f", "4bf92g"),
        EXAMPLE.replace("4bf92f", "٤bf92f"),
    ],
)
def test_what_the_standard_calls_invalid_is_none(header: str | None) -> None:
    assert tracing.parse(header) is None


def test_a_later_version_may_carry_more_and_unknown_flags_are_dropped() -> None:
    context = tracing.parse("01-" + EXAMPLE[3:-2] + "ff-more")
    assert context is not None
    assert context.traceparent == EXAMPLE


def test_a_step_keeps_the_trace_and_has_an_id_of_its_own() -> None:
    parent = tracing.generate()
    step = tracing.child(parent)
    assert step.trace_id == parent.trace_id
    assert step.span_id != parent.span_id


def test_a_block_belongs_to_the_senders_trace_and_hands_it_on() -> None:
    assert tracing.headers() == {}
    with tracing.start(EXAMPLE) as context:
        assert tracing.current() is context
        assert context.trace_id == EXAMPLE[3:35]
        assert context.traceparent != EXAMPLE
        assert tracing.headers() == {"traceparent": context.traceparent}
    assert tracing.current() is None


@pytest.mark.parametrize("header", [None, "nonsense"])
def test_without_a_valid_header_a_new_trace_begins(header: str | None) -> None:
    with tracing.start(header) as one, tracing.start(header) as other:
        assert one.trace_id != other.trace_id


def test_the_outer_context_is_back_after_an_error_inside() -> None:
    with tracing.start(None) as outer:
        with pytest.raises(KeyError), tracing.start(None):
            raise KeyError
        assert tracing.current() is outer


def test_logs_carry_the_trace_id_inside_the_block_only() -> None:
    with tracing.start(EXAMPLE):
        assert structlog.contextvars.get_contextvars()["trace_id"] == EXAMPLE[3:35]
    assert "trace_id" not in structlog.contextvars.get_contextvars()


def test_another_thread_has_no_part_in_it() -> None:
    seen: list[object] = []
    with tracing.start(None):
        thread = threading.Thread(target=lambda: seen.append(tracing.current()))
        thread.start()
        thread.join()
    assert seen == [None]


# -- what is exported -------------------------------------------------------------------------------------


@pytest.fixture
def shown() -> Iterator[list[tracing.Span]]:
    """The steps that ended while somebody wanted to know."""
    spans: list[tracing.Span] = []
    tracing.export_to(spans.append)
    yield spans
    tracing.export_to(None)


def test_a_step_is_shown_with_its_parent_its_times_and_its_ids(shown: list[tracing.Span]) -> None:
    with tracing.start(EXAMPLE, "identity.me", tracing.SERVER, correlation_id="c-1") as context:
        tracing.describe(outcome="ok")
    (span,) = shown
    assert (span.name, span.kind, span.context, span.parent) == (
        "identity.me",
        "SERVER",
        context,
        tracing.parse(EXAMPLE),
    )
    assert span.attributes == {"correlation_id": "c-1", "outcome": "ok"}
    assert 0 < span.started_ns <= span.ended_ns
    assert span.failure == ""


def test_a_part_of_a_step_is_its_child_and_what_is_called_meanwhile_is_the_parts(
    shown: list[tracing.Span],
) -> None:
    with tracing.start(None, "outer") as outer, tracing.step("call identity.me", tracing.CLIENT):
        sent = tracing.parse(tracing.headers()["traceparent"])
    part, whole = shown
    assert (part.name, part.parent, part.context) == ("call identity.me", outer, sent)
    assert (whole.name, whole.parent, whole.context) == ("outer", None, outer)


def test_while_nobody_exports_a_part_changes_nothing() -> None:
    with tracing.start(None) as outer, tracing.step("call identity.me"):
        assert tracing.current() is outer
        tracing.describe(outcome="ok")
        tracing.rename("another")
        tracing.fail(KeyError())


def test_outside_of_a_trace_a_part_begins_none(shown: list[tracing.Span]) -> None:
    with tracing.step("call identity.me"):
        assert tracing.current() is None
    assert shown == []


def test_a_trace_that_its_sender_does_not_sample_is_not_shown(shown: list[tracing.Span]) -> None:
    with tracing.start(EXAMPLE[:-1] + "0"), tracing.step("a part"):
        pass
    tracing.note(EXAMPLE[:-1] + "0", "publish", tracing.PRODUCER, 1)
    assert shown == []


def test_an_error_shows_as_its_class_and_nothing_of_its_text(shown: list[tracing.Span]) -> None:
    with pytest.raises(ValueError), tracing.start(None, "handle"):
        raise ValueError("0912345678")
    with tracing.start(None, "job"):
        tracing.fail(KeyError("0912345678"))
    assert [span.failure for span in shown] == ["ValueError", "KeyError"]
    assert "0912345678" not in repr(shown)


def test_what_is_over_can_be_noted_as_a_step_of_the_senders_trace(shown: list[tracing.Span]) -> None:
    tracing.note(EXAMPLE, "publish identity.verified.v1", tracing.PRODUCER, 1, outcome="confirmed")
    tracing.note(None, "publish identity.verified.v1", tracing.PRODUCER, 1)
    (span,) = shown
    assert (span.context.trace_id, span.parent, span.started_ns) == (EXAMPLE[3:35], tracing.parse(EXAMPLE), 1)
