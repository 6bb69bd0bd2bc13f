"""The audit trail as it is sealed and verified."""

from __future__ import annotations

import json

from services.identity.sealing import Seal, TrailRow
from services.identity.tests.unit.fakes.tables import FakeTables


class FakeTrail(FakeTables):
    def last_row_and_moment(self) -> tuple[int, str]:
        return len(self.audit), "1"

    def have_ended_before(self, moment: str) -> bool:
        return True

    def lock_seals(self) -> None:
        pass

    def last_seal(self) -> Seal | None:
        return self.seals[-1] if self.seals else None

    def seal(self, sequence: int) -> Seal | None:
        return next((seal for seal in self.seals if seal.sequence == sequence), None)

    def seals_after(self, sequence: int, limit: int) -> list[Seal]:
        return [seal for seal in self.seals if seal.sequence > sequence][:limit]

    def trail(self, *, after: int, until: int, limit: int) -> list[TrailRow]:
        rows = [
            TrailRow(id, entry.at, entry.staff_id, entry.action, entry.case_id, json.dumps(entry.details))
            for id, entry in enumerate(self.audit, 1)
        ]
        return [row for row in rows if after < row.id <= until][:limit]

    def add_seal(self, seal: Seal) -> None:
        self.seals.append(seal)
