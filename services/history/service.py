"""History's entrypoints."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from nameko.extensions import DependencyProvider

from services.history import use_cases
from services.history.storage import HistoryStorage
from services.history.tokens import Tokens
from shared.database import Transaction
from shared.events import account
from shared.events.envelope import Event
from shared.messaging.dependencies import Database
from shared.messaging.listener import on_event
from shared.messaging.rpc import rpc
from shared.messaging.runtime import Runtime
from shared.refusals import Refused
from shared.sealed import SealBroken, Sealer


class TokenReader(DependencyProvider):  # type: ignore[misc]
    """Opens and verifies the tokens that come with look-ups."""

    runtime = Runtime()

    def setup(self) -> None:
        sealer = Sealer.from_settings(self.runtime.settings)

        def opened(sealed: str) -> str:
            try:
                return sealer.open(sealed)
            except SealBroken:
                return ""

        self._tokens = Tokens(self.runtime.settings.token_public_keys, opened)

    def get_dependency(self, _worker_ctx: Any) -> Tokens:
        return self._tokens


class HistoryService:
    """Answers citizens' look-ups of their own records."""

    name = "history"
    db = Database()
    tokens = TokenReader()

    @rpc(together=True)
    def participation(self, requests: Sequence[dict[str, Any]]) -> list[dict[str, Any] | Refused]:
        """The citizen's own participation, newest first, 20 rows a page: ``sealed_token``, ``cursor``."""
        now = datetime.now(UTC)
        questions = use_cases.read_requests(requests, lambda sealed: self.tokens.read(sealed, now))
        with self.db.transaction() as tx:
            return use_cases.participation(HistoryStorage(tx), questions)

    @on_event(account.SESSIONS_ENDED)
    def note_sessions_ended(self, tx: Transaction, event: Event) -> None:
        """Older tokens of the account are no longer accepted."""
        use_cases.end_sessions(HistoryStorage(tx), event.data["account_id"], event.data["issued_before"])
