"""What a transaction causes: events to publish and jobs to run, written with the change itself.

``add`` only notes; the transaction writes all notes in one statement each when it commits
(``shared/database.py``), and the relay publishes them right after. Nothing here knows a broker
or a database, so use cases may import it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol

from shared import tracing
from shared.events.envelope import Event


@dataclass(frozen=True)
class Due:
    """A job to run at or after ``at`` (aware datetime). One row per ``(kind, key)`` exists at a time:
    adding it again while it waits changes nothing. ``payload`` is JSON, never a secret in clear."""

    kind: str
    key: str
    at: datetime
    payload: dict[str, Any] = field(default_factory=dict)
    traceparent: str | None = field(default=None, compare=False)


class Transaction(Protocol):
    """The part of a transaction that ``add`` needs."""

    additions: list[Event | Due]


def add(tx: Transaction, addition: Event | Due) -> None:
    """Note an event or a due job; it takes effect if and only if ``tx`` commits."""
    context = tracing.current()
    if addition.traceparent is None and context is not None:
        addition = replace(addition, traceparent=context.traceparent)
    tx.additions.append(addition)
