"""Prometheus metrics of one process: what the messaging kit counts, and how late its hub runs.

Which question each answers stands in ``docs/operations.md``. Labels name things of ours, never a person.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping

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
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

REGISTRY = CollectorRegistry()
ProcessCollector(namespace="vssid", registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

CONTENT_TYPE = CONTENT_TYPE_LATEST
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
AGES_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 900, 3600, 21_600, 86_400)
BATCH_SIZES = (1, 2, 5, 10, 25, 50, 100, 200, 300, 500)

events_handled_total = Counter(
    "vssid_events_handled_total",
    "Events by what became of them: handled (again, too), put_off, dead_lettered",
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
event_age_seconds = Histogram(
    "vssid_event_age_seconds",
    "How long ago the oldest event of a batch had happened when its effects were committed",
    ["listener"],
    buckets=AGES_SECONDS,
    registry=REGISTRY,
)
rpc_requests_total = Counter(
    "vssid_rpc_requests_total",
    "Calls served by how they ended: ok, refused, failed, late (nobody waited any more)",
    ["method", "outcome"],
    registry=REGISTRY,
)
rpc_seconds = Histogram(
    "vssid_rpc_seconds", "Time to serve a call", ["method"], buckets=SECONDS, registry=REGISTRY
)
rpc_calls_total = Counter(
    "vssid_rpc_calls_total",
    "Calls made by how they ended: ok, refused, failed, timeout, unknown (no such service)",
    ["method", "outcome"],
    registry=REGISTRY,
)
outbox_pending = Gauge(
    "vssid_outbox_pending", "Committed events not yet confirmed, counted up to 10,000", registry=REGISTRY
)
outbox_oldest_seconds = Gauge(
    "vssid_outbox_oldest_seconds", "Age of the oldest event that is not yet confirmed", registry=REGISTRY
)
outbox_published_total = Counter(
    "vssid_outbox_published_total", "Events confirmed by the broker", registry=REGISTRY
)
jobs_done_total = Counter(
    "vssid_jobs_done_total",
    "Runs of jobs by how they ended: done, put_off, given_up, lease_lost",
    ["kind", "outcome"],
    registry=REGISTRY,
)
jobs_pending = Gauge(
    "vssid_jobs_pending",
    "Jobs that are due and in nobody's hands, counted up to 10,000",
    ["kind"],
    registry=REGISTRY,
)
jobs_oldest_seconds = Gauge(
    "vssid_jobs_oldest_seconds", "How long the longest waiting job has been due", ["kind"], registry=REGISTRY
)
jobs_given_up = Gauge(
    "vssid_jobs_given_up",
    "Jobs that used up their attempts, counted up to 10,000",
    ["kind"],
    registry=REGISTRY,
)
gauges_refreshed_timestamp_seconds = Gauge(
    "vssid_gauges_refreshed_timestamp_seconds",
    "When the gauges that are read from the database were read last; 0 in a process without a database",
    registry=REGISTRY,
)
broker_connected = Gauge(
    "vssid_broker_connected", "1 while connected to the broker, else 0", registry=REGISTRY
)
hub_lag_seconds = Gauge(
    "vssid_hub_lag_seconds",
    "Worst delay of a greenthread in the last 15 seconds: high when something blocks the hub",
    registry=REGISTRY,
)


POOL_GAUGES = {
    "pool_max": ("vssid_database_connections_max", "Connections that the pool may have"),
    "pool_size": ("vssid_database_connections", "Connections that the pool has"),
    "pool_available": ("vssid_database_connections_idle", "Connections that nobody uses"),
    "requests_waiting": ("vssid_database_waiting", "Workers that wait for a connection now"),
}
POOL_COUNTERS = {
    "requests_num": ("vssid_database_requests", "Connections asked for", 1.0),
    "requests_queued": ("vssid_database_waits", "Connections that were not there at once", 1.0),
    "requests_wait_ms": ("vssid_database_wait_seconds", "Time spent waiting for a connection", 0.001),
    "requests_errors": ("vssid_database_wait_failures", "Connections that did not come in time", 1.0),
    "connections_lost": ("vssid_database_connections_lost", "Connections found broken", 1.0),
}


class PoolCollector(Collector):
    """What psycopg's pool counts by itself, read at each scrape: it is in memory."""

    def __init__(self, stats: Callable[[], Mapping[str, int]]) -> None:
        self._stats = stats

    def collect(self) -> Iterator[Metric]:
        stats = self._stats()
        for key, (name, help) in POOL_GAUGES.items():
            yield GaugeMetricFamily(name, help, value=stats.get(key, 0))
        for key, (name, help, unit) in POOL_COUNTERS.items():
            yield CounterMetricFamily(name, help, value=stats.get(key, 0) * unit)


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
