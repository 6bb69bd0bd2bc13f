"""Resets by e-mail."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from services.identity.email_reset import EmailReset
from services.identity.tests.unit.fakes.tables import FakeTables


class FakeEmailResets(FakeTables):
    def add_email_reset(self, reset: EmailReset) -> None:
        self.resets[reset.id] = reset

    def email_reset(self, reset_id: UUID, *, to_change: bool = False) -> EmailReset | None:
        return self.resets.get(reset_id)

    def save_email_reset(self, reset: EmailReset) -> None:
        self.resets[reset.id] = reset

    def email_resets_sent(self, account_id: UUID, *, email_given: bool, since: datetime) -> int:
        sent = [r for r in self.resets.values() if (r.account_id, r.email_given) == (account_id, email_given)]
        return sum(reset.asked_at > since for reset in sent)

    def email_resets_of(self, account_id: UUID, limit: int) -> list[tuple[datetime, datetime | None]]:
        found = [(r.asked_at, r.used_at) for r in self.resets.values() if r.account_id == account_id]
        return sorted(found, key=lambda times: times[0], reverse=True)[:limit]

    def forget_email_reset(self, reset_id: UUID) -> None:
        self.resets.pop(reset_id, None)
