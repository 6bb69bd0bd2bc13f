"""Gauges that need SQL: read every quarter of a minute by each process, never at a scrape.

All replicas of a service read the same tables and show the same, so of replicas the largest counts, not the
sum. A statement reads an index and stops counting at 10,000 rows, so that it costs the same at a million.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence

from shared import logs, metrics
from shared.database import Database, Transaction

log = logs.get(__name__)

REFRESH_SECONDS = 15.0
# Counting follows the order of an index: without it PostgreSQL may hope to find ten thousand rows soon by
# reading the table from its beginning, and reads all of it where there are none.
OUTBOX = """
SELECT (SELECT count(*) FROM (SELECT FROM outbox LIMIT 10000) AS first_rows) AS pending,
       (SELECT extract(epoch FROM now() - min(created_at))::float8
        FROM (SELECT created_at FROM outbox ORDER BY due_at LIMIT 1000) AS next_rows) AS oldest_seconds
"""
"""The sweeper gives a row that it could not publish a later ``due_at``, so the oldest need not be the next:
it is looked for among the next thousand. Where more wait, it may be older than told."""
JOBS = """
SELECT wanted.kind,
       (SELECT count(*) FROM (SELECT FROM jobs
                              WHERE kind = wanted.kind AND failed_at IS NULL AND due_at <= now()
                              ORDER BY due_at LIMIT 10000) AS first_rows) AS pending,
       (SELECT extract(epoch FROM now() - due_at)::float8 FROM jobs
        WHERE kind = wanted.kind AND failed_at IS NULL AND due_at <= now()
        ORDER BY due_at LIMIT 1) AS oldest_seconds,
       (SELECT count(*) FROM (SELECT FROM jobs WHERE kind = wanted.kind AND failed_at IS NOT NULL
                              ORDER BY failed_at LIMIT 10000) AS first_rows) AS given_up
FROM unnest(%(kinds)s::text[]) AS wanted (kind)
"""

Read = Callable[[Transaction], None]


class Refresher:
    """Calls what sets gauges, again and again. Each ``read`` has a transaction of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reads: list[Read] = []

    def add(self, read: Read) -> None:
        """Have ``read(tx)`` set some gauges at each refreshing."""
        self._reads.append(read)

    def run(self, stopping: threading.Event) -> None:
        """Refresh until ``stopping`` is set. From its start on, the time of the last success grows old."""
        metrics.gauges_refreshed_timestamp_seconds.set_to_current_time()
        while not stopping.is_set():
            self.refresh()
            stopping.wait(REFRESH_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311 - jitter

    def refresh(self) -> None:
        """Read all once. While the database does not answer, the gauges and their time stay as they are."""
        try:
            for read in self._reads:
                self._database.autocommit(read)
        except Exception as error:
            log.warning("gauges were not refreshed", error=type(error).__name__)
        else:
            metrics.gauges_refreshed_timestamp_seconds.set_to_current_time()


def read_outbox(tx: Transaction) -> None:
    """How many events wait in the outbox, and for how long."""
    row = tx.one(OUTBOX)
    assert row is not None
    metrics.outbox_pending.set(row["pending"])
    metrics.outbox_oldest_seconds.set(row["oldest_seconds"] or 0)


def read_jobs(tx: Transaction, kinds: Sequence[str]) -> None:
    """How many jobs of these kinds wait, for how long, and how many were given up."""
    for row in tx.all(JOBS, {"kinds": list(kinds)}):
        metrics.jobs_pending.labels(row["kind"]).set(row["pending"])
        metrics.jobs_oldest_seconds.labels(row["kind"]).set(row["oldest_seconds"] or 0)
        metrics.jobs_given_up.labels(row["kind"]).set(row["given_up"])
