"""Prometheus metrics of one process: what the messaging kit counts, and how late its hub runs."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

REGISTRY = CollectorRegistry()
ProcessCollector(namespace="vssid", registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

CONTENT_TYPE = CONTENT_TYPE_LATEST
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
BATCH_SIZES = (1, 2, 5, 10, 25, 50, 100, 200, 300, 500)

events_handled_total = Counter(
    "vssid_events_handled_total",
    "Events by what became of them: done, duplicate, retried, dead_lettered",
    ["listener", "outcome"],
    registry=REGISTRY,
)
event_batch_size = Histogram(
    "vssid_event_batch_size",
    "Events handled in one transaction",
    ["listener"],
    buckets=BATCH_SIZES,
    registry=REGISTRY,
)
event_handler_seconds = Histogram(
    "vssid_event_handler_seconds",
    "Time from taking a batch to its commit",
    ["listener"],
    buckets=SECONDS,
    registry=REGISTRY,
)
rpc_requests_total = Counter(
    "vssid_rpc_requests_total",
    "Calls served by how they ended: ok, refused, failed, too_late",
    ["method", "outcome"],
    registry=REGISTRY,
)
rpc_seconds = Histogram(
    "vssid_rpc_seconds", "Time to serve a call", ["method"], buckets=SECONDS, registry=REGISTRY
)
outbox_pending = Gauge("vssid_outbox_pending", "Committed events not yet confirmed", registry=REGISTRY)
outbox_published_total = Counter(
    "vssid_outbox_published_total", "Events confirmed by the broker", registry=REGISTRY
)
jobs_done_total = Counter(
    "vssid_jobs_done_total",
    "Jobs by how they ended: done, retried, given_up",
    ["kind", "outcome"],
    registry=REGISTRY,
)
jobs_pending = Gauge("vssid_jobs_pending", "Jobs that are due or leased", ["kind"], registry=REGISTRY)
broker_connected = Gauge(
    "vssid_broker_connected", "1 while connected to the broker, else 0", registry=REGISTRY
)
hub_lag_seconds = Gauge(
    "vssid_hub_lag_seconds",
    "Worst delay of a greenthread in the last 15 seconds: high when something blocks the hub",
    registry=REGISTRY,
)


def exposition() -> bytes:
    """All metrics of this process in Prometheus' text format (``CONTENT_TYPE``)."""
    return generate_latest(REGISTRY)


def watch_hub_lag(interval_seconds: float = 0.1, window_seconds: float = 15) -> Callable[[], None]:
    """Start measuring how late a sleeper wakes up, into ``hub_lag_seconds``. Returns a function to stop it.

    The thread is a greenthread where eventlet has patched ``threading``, so what it sees is the hub.
    """
    stopped = threading.Event()
    recent: deque[float] = deque(maxlen=max(1, round(window_seconds / interval_seconds)))

    def watch() -> None:
        while not stopped.is_set():
            asleep_since = time.monotonic()
            time.sleep(interval_seconds)
            recent.append(max(0.0, time.monotonic() - asleep_since - interval_seconds))
            hub_lag_seconds.set(max(recent))

    threading.Thread(target=watch, name="hub-lag", daemon=True).start()
    return stopped.set
