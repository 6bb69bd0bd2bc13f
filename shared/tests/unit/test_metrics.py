"""Metrics: named for this product, and a blocked hub can be seen."""

from __future__ import annotations

import subprocess
import sys

from prometheus_client import CollectorRegistry, generate_latest

from shared import metrics


def test_all_that_the_kit_counts_is_exposed_under_our_prefix() -> None:
    metrics.events_handled_total.labels("registration.note_verified", "done").inc(2)
    metrics.event_batch_size.labels("registration.note_verified").observe(7)
    metrics.event_handler_seconds.labels("registration.note_verified").observe(0.01)
    metrics.event_age_seconds.labels("registration.note_verified").observe(90)
    metrics.rpc_requests_total.labels("get", "ok").inc()
    metrics.rpc_calls_total.labels("identity.me", "timeout").inc()
    metrics.rpc_seconds.labels("get").observe(0.01)
    metrics.outbox_published_total.inc()
    metrics.outbox_pending.set(3)
    metrics.jobs_done_total.labels("send_message", "done").inc()
    metrics.jobs_pending.labels("send_message").set(4)
    metrics.broker_connected.set(1)
    text = metrics.exposition().decode()
    assert 'vssid_events_handled_total{listener="registration.note_verified",outcome="done"} 2.0' in text
    assert 'vssid_event_batch_size_bucket{le="10.0",listener="registration.note_verified"} 1.0' in text
    assert 'vssid_jobs_pending{kind="send_message"} 4.0' in text
    assert 'vssid_event_age_seconds_bucket{le="60.0",listener="registration.note_verified"} 0.0' in text
    assert 'vssid_event_age_seconds_bucket{le="300.0",listener="registration.note_verified"} 1.0' in text
    assert 'vssid_rpc_calls_total{method="identity.me",outcome="timeout"} 1.0' in text
    assert "vssid_outbox_pending 3.0" in text
    assert "vssid_broker_connected 1.0" in text
    assert "vssid_process_cpu_seconds_total" in text


def test_the_pool_is_read_when_it_is_asked_and_times_are_seconds() -> None:
    stats = {"pool_max": 10, "pool_size": 3, "pool_available": 1, "requests_waiting": 2}
    registry = CollectorRegistry()
    registry.register(metrics.PoolCollector(lambda: stats))
    stats |= {"requests_queued": 4, "requests_wait_ms": 2500}
    text = generate_latest(registry).decode()
    assert "vssid_database_connections 3.0" in text
    assert "vssid_database_waiting 2.0" in text
    assert "vssid_database_waits_total 4.0" in text
    assert "vssid_database_wait_seconds_total 2.5" in text
    assert "vssid_database_wait_failures_total 0.0" in text


def lag_after(program: str) -> float:
    """The lag that a process under eventlet reports after ``program`` ran in it."""
    start = "import eventlet; eventlet.monkey_patch()\nimport eventlet.patcher\nfrom shared import metrics\n"
    end = "\nprint(metrics.hub_lag_seconds._value.get())"
    watch = "stop = metrics.watch_hub_lag(0.02)\neventlet.sleep(0.1)\n"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", start + watch + program + end],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return float(done.stdout)


def test_a_blocked_hub_shows_as_lag_and_is_remembered_for_a_while() -> None:
    blocked = lag_after("eventlet.patcher.original('time').sleep(1.0)\neventlet.sleep(0.2)")
    assert blocked > 0.7


def test_a_hub_that_only_waits_shows_little_lag() -> None:
    assert lag_after("eventlet.sleep(1.0)") < 0.7
