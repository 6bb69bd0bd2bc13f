"""A transaction for unit tests: it remembers what was added and touches nothing."""

from __future__ import annotations

from shared.events.envelope import Event
from shared.messaging.outbox import Due


class FakeTransaction:
    """Stands where ``shared.database.Transaction`` stands in a use case under test."""

    def __init__(self) -> None:
        self.additions: list[Event | Due] = []

    def events(self, event_type: str) -> list[Event]:
        """The added events of one type, e.g. ``identity.verified.v1``."""
        return [a for a in self.additions if isinstance(a, Event) and a.type == event_type]

    def due(self, kind: str) -> list[Due]:
        """The added jobs of one kind."""
        return [a for a in self.additions if isinstance(a, Due) and a.kind == kind]
