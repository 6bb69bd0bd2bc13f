"""The tables of history."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from uuid import UUID

from services.history.domain import PAGE_ROWS, Found, Guardianship, Import, Imported, Lookup, Participation
from shared.database import Transaction

LOOK_UP = """
SELECT totals.months, totals.unpaid_months, page.rows, ended.issued_before AS sessions_ended_at,
       coalesce(totals.source, latest.source) AS source, coalesce(totals.as_of, latest.as_of) AS as_of,
       asked.code IS NOT NULL AS is_allowed
FROM (SELECT CASE WHEN question.child_id IS NULL THEN question.own_code ELSE guardianships.code END AS code,
             question.account_id, month, id, at
      FROM unnest(%(codes)s::text[], %(accounts)s::uuid[], %(months)s::date[], %(ids)s::bigint[],
                  %(children)s::uuid[], %(times)s::timestamptz[])
           WITH ORDINALITY AS question (own_code, account_id, month, id, child_id, asked_at, at)
      LEFT JOIN guardianships ON guardianships.account_id = question.account_id
           AND guardianships.child_id = question.child_id
           AND guardianships.valid_until > question.asked_at) AS asked
LEFT JOIN totals ON totals.code = asked.code
LEFT JOIN ended_sessions ended ON ended.account_id = asked.account_id
LEFT JOIN (SELECT source, as_of FROM import WHERE kind = 'participation' ORDER BY as_of DESC LIMIT 1) latest
     ON true
CROSS JOIN LATERAL (
    SELECT coalesce(json_agg(json_build_object(
               'id', id,
               'from_month', to_char(from_month, 'YYYY-MM'), 'to_month', to_char(to_month, 'YYYY-MM'),
               'employer', employer, 'job_title', job_title, 'workplace', workplace,
               'salary_base', salary_base, 'funds', funds, 'paid', paid
           ) ORDER BY from_month DESC, id DESC), '[]') AS rows
    FROM (SELECT id, from_month, to_month, employer, job_title, workplace, salary_base, funds, paid
          FROM participation p
          WHERE p.code = asked.code
            AND (p.from_month, p.id) < (coalesce(asked.month, 'infinity'::date), coalesce(asked.id, 0))
          ORDER BY p.from_month DESC, p.id DESC LIMIT %(limit)s) newest
) page
ORDER BY asked.at
"""
END_SESSIONS = """
INSERT INTO ended_sessions (account_id, issued_before) VALUES (%(account_id)s, %(issued_before)s)
ON CONFLICT (account_id) DO UPDATE
SET issued_before = greatest(ended_sessions.issued_before, EXCLUDED.issued_before)
"""
SAVE_GUARDIANSHIP = """
INSERT INTO guardianships (account_id, child_id, code, valid_until, confirmed_at)
VALUES (%(account_id)s, %(child_id)s, %(code)s, %(valid_until)s, %(confirmed_at)s)
ON CONFLICT (account_id, child_id) DO UPDATE SET code = EXCLUDED.code, valid_until = EXCLUDED.valid_until,
    confirmed_at = EXCLUDED.confirmed_at
WHERE guardianships.confirmed_at < EXCLUDED.confirmed_at
"""
GUARDIANSHIPS_OF = """
SELECT account_id, child_id, code, valid_until, confirmed_at FROM guardianships
WHERE account_id = ANY(%(ids)s)
"""
SESSIONS_ENDED = "SELECT account_id, issued_before FROM ended_sessions WHERE account_id = ANY(%(ids)s)"
ADD_IMPORT = """
INSERT INTO import (id, kind, key, sha256, source, as_of, imported_at)
VALUES (%(id)s, %(kind)s, %(key)s, %(sha256)s, %(source)s, %(as_of)s, %(at)s)
ON CONFLICT (kind, key) DO NOTHING
"""
IMPORT_OF_KEY = """
SELECT id, sha256, people, rows, unchanged FROM import WHERE kind = %(kind)s AND key = %(key)s
"""
FINISH_IMPORT = """
UPDATE import SET people = %(people)s, rows = %(rows)s, unchanged = %(unchanged)s WHERE id = %(id)s
"""
OFFERED = """
unnest(%(lines)s::int[], %(codes)s::text[], %(from_months)s::date[], %(to_months)s::date[],
       %(employers)s::text[], %(job_titles)s::text[], %(workplaces)s::text[], %(salary_bases)s::bigint[],
       %(funds)s::text[], %(paid)s::boolean[])
AS offered (line, code, from_month, to_month, employer, job_title, workplace, salary_base, funds, paid)
"""
ADD_ROWS = f"""
INSERT INTO participation (code, from_month, to_month, employer, job_title, workplace, salary_base, funds,
                           paid, import_id)
SELECT code, from_month, to_month, employer, job_title, workplace, salary_base, string_to_array(funds, ','),
       paid, %(import_id)s
FROM {OFFERED} ORDER BY code, from_month, employer, job_title, line
ON CONFLICT ON CONSTRAINT one_row_per_stretch DO NOTHING
"""
CONFLICTS = f"""
SELECT offered.line FROM {OFFERED}
JOIN participation held USING (code, from_month, employer, job_title)
WHERE (held.to_month, held.workplace, held.salary_base, held.funds, held.paid) IS DISTINCT FROM
      (offered.to_month, offered.workplace, offered.salary_base, string_to_array(offered.funds, ','),
       offered.paid)
ORDER BY offered.line
"""
COUNT_UP = """
INSERT INTO totals (code, months, unpaid_months, source, as_of)
SELECT code, count(*), count(*) FILTER (WHERE NOT paid), %(source)s, %(as_of)s
FROM (SELECT code, month, bool_or(paid) AS paid
      FROM participation, generate_series(from_month, to_month, interval '1 month') AS month
      WHERE code = ANY (%(codes)s::text[]) GROUP BY code, month) AS lived
GROUP BY code ORDER BY code
ON CONFLICT (code) DO UPDATE SET months = EXCLUDED.months, unpaid_months = EXCLUDED.unpaid_months,
    source = EXCLUDED.source, as_of = greatest(totals.as_of, EXCLUDED.as_of)
"""
CODES_AT_ONCE = 5000


class HistoryStorage:
    """Participation and imports, inside the caller's transaction."""

    def __init__(self, tx: Transaction) -> None:
        self.tx = tx

    def look_up(self, lookups: Sequence[Lookup]) -> list[Found]:
        """The answers to all look-ups, in their order, by one statement."""
        params = {
            "codes": [lookup.claims.code for lookup in lookups],
            "accounts": [lookup.claims.account_id for lookup in lookups],
            "months": [lookup.after and lookup.after.from_month for lookup in lookups],
            "ids": [lookup.after and lookup.after.row_id for lookup in lookups],
            "children": [lookup.child_id for lookup in lookups],
            "times": [lookup.at for lookup in lookups],
            "limit": PAGE_ROWS + 1,
        }
        return [
            Found(
                months=row["months"] or 0,
                unpaid_months=row["unpaid_months"] or 0,
                rows=tuple(row["rows"]),
                source=row["source"],
                as_of=row["as_of"],
                sessions_ended_at=row["sessions_ended_at"],
                is_allowed=row["is_allowed"],
            )
            for row in self.tx.all(LOOK_UP, params)
        ]

    def end_sessions(self, account_id: UUID, issued_before: datetime) -> None:
        """Remember the latest ending."""
        self.tx.run(END_SESSIONS, {"account_id": account_id, "issued_before": issued_before})

    def save_guardianship(self, confirmed: Guardianship) -> None:
        """What was confirmed, or ended, last stays."""
        self.tx.run(SAVE_GUARDIANSHIP, asdict(confirmed))

    def guardianships_of(self, account_ids: Sequence[UUID]) -> list[Guardianship]:
        """What is known of these guardians, lasting or ended."""
        return [Guardianship(**row) for row in self.tx.all(GUARDIANSHIPS_OF, {"ids": list(account_ids)})]

    def sessions_ended(self, account_ids: Sequence[UUID]) -> dict[UUID, datetime]:
        """Until when the tokens of these accounts are no longer accepted, where any were ended."""
        rows = self.tx.all(SESSIONS_ENDED, {"ids": list(account_ids)})
        return {row["account_id"]: row["issued_before"] for row in rows}

    def add_import(self, offered: Import, kind: str, at: datetime) -> bool:
        """False when the key was used before; waits for one that is under way."""
        params = {
            "id": offered.id,
            "kind": kind,
            "key": offered.key,
            "sha256": offered.sha256,
            "source": offered.source,
            "as_of": offered.as_of,
            "at": at,
        }
        return self.tx.run(ADD_IMPORT, params) == 1

    def import_of_key(self, kind: str, key: str) -> tuple[str, Imported] | None:
        """The content's sha256 and what came of the import with this key."""
        row = self.tx.one(IMPORT_OF_KEY, {"kind": kind, "key": key})
        if row is None:
            return None
        return row["sha256"], Imported(row["id"], row["people"], row["rows"], row["unchanged"])

    def add_rows(self, import_id: UUID, rows: Sequence[tuple[int, Participation]]) -> tuple[int, list[int]]:
        """Add ``(line, row)`` pairs; how many were new, and the lines that contradict what is held."""
        if not rows:
            return 0, []
        params = {
            "import_id": import_id,
            "lines": [line for line, _ in rows],
            "codes": [row.code for _, row in rows],
            "from_months": [row.from_month for _, row in rows],
            "to_months": [row.to_month for _, row in rows],
            "employers": [row.employer for _, row in rows],
            "job_titles": [row.job_title for _, row in rows],
            "workplaces": [row.workplace for _, row in rows],
            "salary_bases": [row.salary_base for _, row in rows],
            "funds": [",".join(row.funds) for _, row in rows],
            "paid": [row.paid for _, row in rows],
        }
        new = self.tx.run(ADD_ROWS, params)
        return new, [row["line"] for row in self.tx.all(CONFLICTS, params)]

    def count_up(self, codes: Iterable[str], offered: Import) -> None:
        """Count these people's totals anew."""
        every = sorted(codes)
        for at in range(0, len(every), CODES_AT_ONCE):
            some = every[at : at + CODES_AT_ONCE]
            self.tx.run(COUNT_UP, {"codes": some, "source": offered.source, "as_of": offered.as_of})

    def finish_import(self, done: Imported) -> None:
        """Write down what the import did."""
        params = {"id": done.import_id, "people": done.people, "rows": done.rows, "unchanged": done.unchanged}
        self.tx.run(FINISH_IMPORT, params)
