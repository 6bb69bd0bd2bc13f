"""Export of traces: what arrives at a collector, and that nothing ever waits for it."""

from __future__ import annotations

import subprocess
import sys

from shared.testing.collector import collector

SERVICE = """
import eventlet; eventlet.monkey_patch()
import eventlet.patcher, sys, time
from shared import metrics, spans, tracing
spans.export("identity", sys.argv[1])
metrics.watch_hub_lag(0.01)
eventlet.sleep(0.1)
"""
"""A process as services are: patched, and with a look at how late its hub runs."""
LATE_SECONDS = 0.5
"""Far below what waiting for a collector would cost, far above what a busy machine does."""


def run(program: str, endpoint: str, start: str = SERVICE) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", start + program, endpoint],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def lag_of(program: str, endpoint: str) -> float:
    return float(run(program + "\nprint(metrics.hub_lag_seconds._value.get())", endpoint))


MANY = """
for number in range(2000):
    with tracing.start(None, "handle identity.verified.v1", tracing.CONSUMER, correlation_id="c"):
        pass
    if number % 20 == 0:
        eventlet.sleep(0.001)
"""


def test_a_step_arrives_with_its_service_its_trace_and_its_ids() -> None:
    with collector() as told:
        run(
            """
with tracing.start("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "outer", tracing.SERVER):
    with tracing.step("ask register", tracing.CLIENT, request_id="r-1"):
        tracing.fail(TimeoutError("of 0912345678"))
spans.stop()
""",
            told.endpoint,
        )
    part, whole = told.spans()
    assert (whole.service, whole.name, whole.kind) == ("identity", "outer", 2)
    assert (whole.trace_id, whole.parent_id) == ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
    assert (part.name, part.kind, part.parent_id) == ("ask register", 3, whole.span_id)
    assert (part.attributes, part.failure) == ({"request_id": "r-1"}, "TimeoutError")
    assert b"0912345678" not in b"".join(told.bodies)


def test_many_steps_are_sent_without_holding_the_hub() -> None:
    with collector() as told:
        lag = lag_of(MANY + "spans.stop()", told.endpoint)
    assert len(told.spans()) == 2000
    assert lag < LATE_SECONDS


def test_a_collector_that_does_not_answer_holds_nothing_and_delays_the_end_but_a_moment() -> None:
    with collector() as told:
        told.going_on.clear()
        lag = lag_of(
            MANY + "eventlet.sleep(1.5)\nstarted = time.monotonic()\nspans.stop()\n"
            "assert time.monotonic() - started < 4",
            told.endpoint,
        )
    assert lag < LATE_SECONDS


def test_a_collector_that_is_not_there_is_no_failure() -> None:
    assert lag_of(MANY + "eventlet.sleep(1.5)", "http://127.0.0.1:9") < LATE_SECONDS


def test_a_process_that_is_told_of_none_loads_nothing_of_opentelemetry() -> None:
    start = "import sys\nfrom shared import spans, tracing\nwith tracing.start(None, 'x'): pass\n"
    said = run("print([name for name in sys.modules if name.startswith('opentelemetry')])", "", start)
    assert said.strip() == "[]"
