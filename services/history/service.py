"""History's entrypoints."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from services.history import use_cases
from services.history.parts import parts_of
from services.history.storage import HistoryStorage
from shared.database import Transaction
from shared.events import account, identity
from shared.events.envelope import Event
from shared.messaging.dependencies import Database, Parts
from shared.messaging.listener import on_event
from shared.messaging.rpc import rpc
from shared.refusals import Refused


class HistoryService:
    """Answers citizens' look-ups of their own records."""

    name = "history"
    db = Database()
    parts = Parts(parts_of)

    @rpc(together=True)
    def participation(self, requests: Sequence[dict[str, Any]]) -> list[dict[str, Any] | Refused]:
        """The citizen's own participation, newest first, 20 rows a page: ``sealed_token``, ``cursor``; with
        ``child_id`` that of a child, for its confirmed guardian."""
        now = datetime.now(UTC)
        questions = use_cases.read_requests(requests, lambda sealed: self.parts.tokens.read(sealed, now), now)
        return self.db.autocommit(lambda tx: use_cases.participation(HistoryStorage(tx), questions))

    @on_event(identity.GUARDIANSHIP_CONFIRMED)
    def note_guardian(self, tx: Transaction, event: Event) -> None:
        """The child's records are the guardian's to see, too."""
        use_cases.note_guardian(HistoryStorage(tx), event.data, event.time)

    @on_event(identity.GUARDIANSHIP_ENDED)
    def end_guardian(self, tx: Transaction, event: Event) -> None:
        """The child's records are not the former guardian's to see any more."""
        use_cases.end_guardian(HistoryStorage(tx), event.data)

    @on_event(account.SESSIONS_ENDED)
    def note_sessions_ended(self, tx: Transaction, event: Event) -> None:
        """Older tokens of the account are no longer accepted."""
        use_cases.end_sessions(HistoryStorage(tx), event.data["account_id"], event.data["issued_before"])
