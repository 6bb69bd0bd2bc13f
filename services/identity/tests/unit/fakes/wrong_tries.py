"""Wrong tries."""

from __future__ import annotations

from datetime import datetime

from services.identity.tests.unit.fakes.tables import FakeTables


class FakeWrongTries(FakeTables):
    def reached_by(self, kind: str, key: bytes, amount: int, *, since: datetime) -> datetime | None:
        times = sorted(at for *what, at in self.wrong_tries if what == [kind, key] and at > since)
        return times[-amount] if len(times) >= amount else None

    def hold_wrong_tries(self, kind: str, key: bytes) -> None:
        """One thread."""

    def add_wrong_try(self, kind: str, key: bytes, *, at: datetime) -> None:
        self.wrong_tries.append((kind, key, at))

    def forget_wrong_tries(self, *, before: datetime, limit: int) -> int:
        old = sorted((row for row in self.wrong_tries if row[2] < before), key=lambda row: row[2])[:limit]
        self.wrong_tries = [row for row in self.wrong_tries if row not in old]
        return len(old)
