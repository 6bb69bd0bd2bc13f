"""From the outbox to the broker: at once from memory, later by the sweeper.

An event's row is deleted when the broker has confirmed it. Until ``PUBLISH_DEADLINE_SECONDS`` after the
commit the direct publish has it to itself; then the sweeper takes it by a lease, so the two never race and
no lock is held while waiting for the broker. An event published twice keeps its id: inboxes drop the second.

What a newer version left is not for this one, which may not publish it: the broker would end the channel, and
with it the publishing of whatever else is on its way. It waits until that version is back.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence

from shared import logs, metrics, tracing
from shared.database import PUBLISH_DEADLINE_SECONDS, Committed, Database, Written, is_away
from shared.events import catalogue  # noqa: F401  so that every type is known
from shared.events.envelope import REGISTRY
from shared.messaging import topology
from shared.messaging.publisher import Outcome, Outgoing, Publisher

log = logs.get(__name__)

BATCH = 500
MEMORY = 5_000
"""Events waiting in memory at the most; what comes on top is left to the sweeper."""
CONFIRM_SECONDS = 4.0
DIRECT_SECONDS = PUBLISH_DEADLINE_SECONDS - CONFIRM_SECONDS - 1.0
"""Older than this in memory, an event is left to the sweeper."""
LEASE_SECONDS = 15.0
SWEEP_SECONDS = 1.0

CLAIM = """
UPDATE outbox SET due_at = now() + make_interval(secs => %(lease)s)
WHERE id IN (SELECT id FROM outbox WHERE due_at <= now() AND type = ANY(%(known)s)
             ORDER BY due_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
RETURNING id::text AS id, type, headers, body
"""
DELETE = "DELETE FROM outbox WHERE id = ANY(%(ids)s::uuid[])"


class Relay:
    """Publishes what transactions left; one per process, ``start`` spawns its two threads."""

    def __init__(self, database: Database, publisher: Publisher) -> None:
        self._database = database
        self._publisher = publisher
        self._waiting: deque[tuple[float, Written]] = deque()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        database.after_commit.append(self.publish_soon)

    def start(self) -> None:
        """Start publishing and sweeping."""
        for work in (self._publish_waiting, self._sweep):
            thread = threading.Thread(target=work, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Publish what is in memory, then stop; what does not go out in time the sweeper will find."""
        self._stopping.set()
        self._wake.set()
        for thread in self._threads:
            thread.join(CONFIRM_SECONDS + 1.0)

    def publish_soon(self, committed: Committed) -> None:
        """Take the events of a committed transaction; never waits."""
        at = time.monotonic()
        room = MEMORY - len(self._waiting)
        self._waiting.extend((at, event) for event in committed.events[:room])
        self._wake.set()

    def _publish_waiting(self) -> None:
        while not (self._stopping.is_set() and not self._waiting):
            self._wake.wait()
            self._wake.clear()
            while self._waiting:
                taken = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
                oldest = time.monotonic() - DIRECT_SECONDS
                self._publish([event for at, event in taken if at >= oldest])

    def _sweep(self) -> None:
        while not self._stopping.wait(SWEEP_SECONDS):
            try:
                while self._publisher.is_up and not self._stopping.is_set() and self._sweep_once() == BATCH:
                    pass
            except Exception as error:
                log.warning("sweeping failed", error=type(error).__name__, away=is_away(error))

    def _sweep_once(self) -> int:
        claim = {"lease": LEASE_SECONDS, "limit": BATCH, "known": list(REGISTRY)}
        rows = self._database.autocommit(lambda tx: tx.all(CLAIM, claim))
        events = [Written(row["id"], row["type"], row["headers"], bytes(row["body"])) for row in rows]
        confirmed = self._publish(events)
        if events:
            log.info("swept", taken=len(events), confirmed=confirmed)
        return confirmed

    def _publish(self, events: Sequence[Written]) -> int:
        """Publish and forget what was confirmed; returns how many."""
        started_ns = time.time_ns()
        outcomes = self._publisher.publish([outgoing(event) for event in events], CONFIRM_SECONDS)
        if tracing.is_exporting():
            _show(events, outcomes, started_ns)
        confirmed = [
            e.id for e, outcome in zip(events, outcomes, strict=True) if outcome is Outcome.CONFIRMED
        ]
        unheard = {e.type for e, o in zip(events, outcomes, strict=True) if o is Outcome.RETURNED}
        if unheard:
            log.error("no queue is bound for these events; they stay in the outbox", types=sorted(unheard))
        if confirmed:
            metrics.outbox_published_total.inc(len(confirmed))
            self._forget(confirmed)
        return len(confirmed)

    def _forget(self, ids: Iterable[str]) -> None:
        try:
            self._database.autocommit(lambda tx: tx.run(DELETE, {"ids": list(ids)}))
        except Exception as error:
            log.warning("published events stay in the outbox", error=type(error).__name__)


def _show(events: Sequence[Written], outcomes: Sequence[Outcome], started_ns: int) -> None:
    """Each publish as a step of its event's trace: what was published together took the same time."""
    for event, outcome in zip(events, outcomes, strict=True):
        tracing.note(
            event.headers.get("ce-traceparent"),
            f"publish {event.type}",
            tracing.PRODUCER,
            started_ns,
            outcome=outcome.value,
            correlation_id=str(event.headers.get("ce-correlationid")),
        )


def outgoing(event: Written) -> Outgoing:
    """The publish of an event: the topic exchange, its type as routing key."""
    known = REGISTRY.get(event.type)
    return Outgoing(
        exchange=topology.EVENTS,
        routing_key=event.type,
        body=event.body,
        headers=event.headers,
        message_id=event.id,
        mandatory=known is None or known.listened,
    )
