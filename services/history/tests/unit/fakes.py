"""The store of history in dicts, a token reader that believes what it is told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from services.history.domain import PAGE_ROWS, Found, Guardianship, Import, Imported, Lookup, Participation
from shared.testing.transactions import FakeTransaction

Stretch = tuple[str, date, str, str]


@dataclass
class FakeHistory:
    """What ``HistoryStorage`` keeps in tables."""

    tx: FakeTransaction = field(default_factory=FakeTransaction)
    rows: dict[Stretch, tuple[int, Participation]] = field(default_factory=dict)
    imports: dict[tuple[str, str], tuple[Import, Imported]] = field(default_factory=dict)
    totals: dict[str, tuple[int, int, str, datetime]] = field(default_factory=dict)
    ended: dict[UUID, datetime] = field(default_factory=dict)
    guardianships: dict[tuple[UUID, UUID], Guardianship] = field(default_factory=dict)
    looked_up: int = 0

    def look_up(self, lookups: Sequence[Lookup]) -> list[Found]:
        self.looked_up += 1
        return [self._found(lookup) for lookup in lookups]

    def _found(self, lookup: Lookup) -> Found:
        code = self._code_of(lookup)
        own = [(row, row_id) for row_id, row in self.rows.values() if row.code == code]
        own.sort(key=lambda pair: (pair[0].from_month, pair[1]), reverse=True)
        if lookup.after is not None:
            last = (lookup.after.from_month, lookup.after.row_id)
            own = [pair for pair in own if (pair[0].from_month, pair[1]) < last]
        latest = max((offered for offered, _ in self.imports.values()), key=lambda o: o.as_of, default=None)
        nothing = (0, 0, latest.source, latest.as_of) if latest else (0, 0, None, None)
        months, unpaid, source, as_of = self.totals.get(code or "", nothing)
        return Found(
            months=months,
            unpaid_months=unpaid,
            rows=tuple(_shown(row, row_id) for row, row_id in own[: PAGE_ROWS + 1]),
            source=source,
            as_of=as_of,
            sessions_ended_at=self.ended.get(lookup.claims.account_id),
            is_allowed=code is not None,
        )

    def _code_of(self, lookup: Lookup) -> str | None:
        if lookup.child_id is None or lookup.at is None:
            return lookup.claims.code
        confirmed = self.guardianships.get((lookup.claims.account_id, lookup.child_id))
        return confirmed.code if confirmed and confirmed.valid_until > lookup.at else None

    def save_guardianship(self, confirmed: Guardianship) -> None:
        key = confirmed.account_id, confirmed.child_id
        known = self.guardianships.get(key)
        if known is None or known.confirmed_at < confirmed.confirmed_at:
            self.guardianships[key] = confirmed

    def end_sessions(self, account_id: UUID, issued_before: datetime) -> None:
        self.ended[account_id] = max(issued_before, self.ended.get(account_id, issued_before))

    def add_import(self, offered: Import, kind: str, at: datetime) -> bool:
        if (kind, offered.key) in self.imports:
            return False
        self.imports[kind, offered.key] = (offered, Imported(offered.id, 0, 0, 0))
        return True

    def import_of_key(self, kind: str, key: str) -> tuple[str, Imported] | None:
        held = self.imports.get((kind, key))
        return (held[0].sha256, held[1]) if held else None

    def add_rows(self, import_id: UUID, rows: Sequence[tuple[int, Participation]]) -> tuple[int, list[int]]:
        new, conflicts = 0, []
        for line, row in rows:
            stretch = (row.code, row.from_month, row.employer, row.job_title)
            if stretch not in self.rows:
                self.rows[stretch] = (len(self.rows) + 1, row)
                new += 1
            elif self.rows[stretch][1] != row:
                conflicts.append(line)
        return new, conflicts

    def count_up(self, codes: Iterable[str], offered: Import) -> None:
        for code in codes:
            paid: dict[int, bool] = {}
            for _, row in self.rows.values():
                if row.code == code:
                    for month in range(_number(row.from_month), _number(row.to_month) + 1):
                        paid[month] = paid.get(month, False) or row.paid
            before = self.totals.get(code)
            as_of = max(before[3], offered.as_of) if before else offered.as_of
            unpaid = sum(not is_paid for is_paid in paid.values())
            self.totals[code] = (len(paid), unpaid, offered.source, as_of)

    def finish_import(self, done: Imported) -> None:
        key = next(key for key, (offered, _) in self.imports.items() if offered.id == done.import_id)
        self.imports[key] = (self.imports[key][0], replace(done))


def _number(month: date) -> int:
    return month.year * 12 + month.month


def _shown(row: Participation, row_id: int) -> dict[str, Any]:
    return {
        "id": row_id,
        "from_month": f"{row.from_month:%Y-%m}",
        "to_month": f"{row.to_month:%Y-%m}",
        "employer": row.employer,
        "job_title": row.job_title,
        "workplace": row.workplace,
        "salary_base": row.salary_base,
        "funds": list(row.funds),
        "paid": row.paid,
    }
