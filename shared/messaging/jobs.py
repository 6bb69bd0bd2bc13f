"""``@job``: work on leases, for what takes time or talks to the outside.

A job is a row, added with ``outbox.add(tx, Due(...))`` in the transaction that makes it necessary. Any
replica claims it by a lease and commits; the method then acts outside any transaction and returns what is to
be recorded, which the kit runs in one transaction with the end of the job. Whoever lost the lease meanwhile
records nothing. After a kill at any point the lease runs out and the job is run again.
"""

from __future__ import annotations

import functools
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from nameko.extensions import Entrypoint, register_entrypoint

from shared import logs, metrics, tracing
from shared.database import Transaction, is_away, is_conflict
from shared.messaging.runtime import Runtime

log = logs.get(__name__)

LONGEST_PAUSE_SECONDS = 300.0

CLAIM = """
UPDATE jobs SET due_at = now() + make_interval(secs => %(lease_seconds)s), lease = gen_random_uuid()
WHERE (kind, key) IN (SELECT kind, key FROM jobs
                      WHERE kind = %(kind)s AND failed_at IS NULL AND due_at <= now()
                      ORDER BY due_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
RETURNING key, payload, attempts + 1 AS attempt, lease, traceparent
"""
FINISH = "DELETE FROM jobs WHERE kind = %(kind)s AND key = %(key)s AND lease = %(lease)s"
PUT_OFF = """
UPDATE jobs SET due_at = now() + make_interval(secs => %(pause)s), lease = NULL, last_error = %(error)s,
                attempts = attempts + 1,
                failed_at = CASE WHEN %(given_up)s THEN now() END
WHERE kind = %(kind)s AND key = %(key)s AND lease = %(lease)s
"""

Record = Callable[[Transaction], None]


class LeaseLost(Exception):
    """Somebody else has the job now; nothing was recorded."""


@dataclass(frozen=True)
class Claimed:
    """A job in hand: ``attempt`` counts from 1; ``is_last`` says that an error now ends it."""

    kind: str
    key: str
    payload: dict[str, Any]
    attempt: int
    is_last: bool
    lease: UUID
    traceparent: str | None


Work = Callable[[Any, Claimed], Record | None]


def job(
    kind: str, *, lease_seconds: float = 60.0, workers: int = 4, attempts: int = 20
) -> Callable[[Work], Any]:
    """Have the method ``(self, due)`` run each due job of ``kind``.

    It returns ``record(tx)`` or None. Raising has it run again after a growing pause, ``attempts`` times in
    all, after which the row stays, marked as failed. ``lease_seconds`` must exceed what one run can take;
    ``workers`` run at once in a process.
    """

    def register(work: Work) -> Any:
        @functools.wraps(work)
        def run(self: Any, in_hand: Callable[[Callable[[Claimed], Record | None]], None]) -> None:
            in_hand(functools.partial(work, self))

        run.job_kind = kind  # type: ignore[attr-defined]
        run.work = work  # type: ignore[attr-defined]
        register_entrypoint(run, Jobs(kind, lease_seconds=lease_seconds, workers=workers, attempts=attempts))
        return run

    return register


class Jobs(Entrypoint):  # type: ignore[misc]
    """The runner of one kind of job, in one process."""

    runtime = Runtime()

    def __init__(self, kind: str, lease_seconds: float, workers: int, attempts: int, **kwargs: Any) -> None:
        self.kind = kind
        self.lease_seconds = lease_seconds
        self.workers = workers
        self.attempts = attempts
        super().__init__(**kwargs)

    def setup(self) -> None:
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._running = 0
        self.runtime.on_due(self.kind, self._wake.set)

    def start(self) -> None:
        self.container.spawn_managed_thread(self._run, identifier=f"job {self.kind}")

    def stop(self) -> None:
        self._stopping.set()
        self._wake.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            claimed = self._claim(self.workers - self._running) if self._running < self.workers else []
            for due in claimed:
                self._running += 1
                self.container.spawn_worker(
                    self,
                    (functools.partial(self._in_hand, due),),
                    {},
                    handle_result=self._one_less,
                )
            if not claimed or self._running >= self.workers:
                self._wake.wait()
                self._wake.clear()

    def _one_less(self, _ctx: Any, result: Any, exc_info: Any) -> tuple[Any, Any]:
        self._running -= 1
        self._wake.set()
        return result, exc_info

    def _claim(self, limit: int) -> list[Claimed]:
        try:
            claim = {"kind": self.kind, "limit": limit, "lease_seconds": self.lease_seconds}
            rows = self.runtime.database.autocommit(lambda tx: tx.all(CLAIM, claim))
        except Exception as error:
            log.warning("claiming failed", kind=self.kind, error=type(error).__name__)
            return []
        return [
            Claimed(
                self.kind,
                row["key"],
                row["payload"],
                row["attempt"],
                row["attempt"] >= self.attempts,
                row["lease"],
                row["traceparent"],
            )
            for row in rows
        ]

    def _in_hand(self, due: Claimed, work: Callable[[Claimed], Record | None]) -> None:
        """Act, then record; never raises."""
        ends_at = time.monotonic() + self.lease_seconds
        with tracing.start(due.traceparent, f"job {due.kind}"), logs.bind(job=due.kind):
            try:
                self._finish(due, work(due), ends_at)
                outcome = "done"
            except LeaseLost:
                log.warning("lease lost; nothing recorded", attempt=due.attempt)
                outcome = "lease_lost"
            except Exception as error:
                tracing.fail(error)
                log.error("job failed", attempt=due.attempt, given_up=due.is_last, exc_info=error)
                self._put_off(due, error)
                outcome = "given_up" if due.is_last else "put_off"
        metrics.jobs_done_total.labels(due.kind, outcome).inc()

    def _finish(self, due: Claimed, record: Record | None, ends_at: float) -> None:
        """Record and end the job in one transaction. The outside has already been told, so while the
        database is away this waits, as long as the lease lasts."""
        while True:
            try:
                with self.runtime.database.transaction() as tx:
                    if not tx.run(FINISH, {"kind": due.kind, "key": due.key, "lease": due.lease}):
                        raise LeaseLost
                    if record is not None:
                        record(tx)
                return
            except Exception as error:
                retriable = is_conflict(error) or is_away(error)
                if not retriable or time.monotonic() > ends_at or self._stopping.is_set():
                    raise
                time.sleep(0.2)

    def _put_off(self, due: Claimed, error: Exception) -> None:
        pause = min(2.0 ** (due.attempt - 1), LONGEST_PAUSE_SECONDS) * random.uniform(0.8, 1.2)  # noqa: S311
        parameters = {
            "kind": due.kind,
            "key": due.key,
            "lease": due.lease,
            "pause": pause,
            "error": type(error).__name__,
            "given_up": due.is_last,
        }
        try:
            with self.runtime.database.transaction() as tx:
                tx.run(PUT_OFF, parameters)
        except Exception as lost:
            log.warning("the lease will run out by itself", kind=due.kind, error=type(lost).__name__)
