"""Who may act for which child."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from services.identity.domain import Account, Applicant
from services.identity.guardianship import Child, Guardianship
from services.identity.storage.people import JOINED_ACCOUNT_COLUMNS, account_of_row
from services.identity.storage.tables import Tables

COLUMNS = """g.account_id, g.child_person_id, g.relation, g.confirmed_by, g.confirmed_at, g.valid_until,
    g.end_reason, g.end_note, g.ended_by"""
Row = Mapping[str, Any]


class Guardianships(Tables):
    """Confirmed by officers, and ended by them."""

    SAVE_GUARDIANSHIP = """
        INSERT INTO guardianships (account_id, child_person_id, relation, confirmed_by, confirmed_at,
                                   valid_until, end_reason, end_note, ended_by)
        VALUES (%(account_id)s, %(child_person_id)s, %(relation)s, %(confirmed_by)s, %(confirmed_at)s,
                %(valid_until)s, %(end_reason)s, %(end_note)s, %(ended_by)s)
        ON CONFLICT (account_id, child_person_id) DO UPDATE SET relation = excluded.relation,
            confirmed_by = excluded.confirmed_by, confirmed_at = excluded.confirmed_at,
            valid_until = excluded.valid_until, end_reason = excluded.end_reason,
            end_note = excluded.end_note, ended_by = excluded.ended_by
    """

    def save_guardianship(self, confirmed: Guardianship) -> None:
        """As it was confirmed, or ended, last."""
        self.tx.run(self.SAVE_GUARDIANSHIP, asdict(confirmed))

    GUARDIANSHIP = f"""
        SELECT {COLUMNS} FROM guardianships g
        WHERE g.account_id = %(account_id)s AND g.child_person_id = %(child_person_id)s
    """

    def guardianship(self, account_id: UUID, child_person_id: UUID) -> Guardianship | None:
        """The one of this guardian for this child."""
        row = self.tx.one(self.GUARDIANSHIP, {"account_id": account_id, "child_person_id": child_person_id})
        return Guardianship(**row) if row else None

    GUARDIANSHIPS_OF = f"""
        SELECT {COLUMNS} FROM guardianships g
        WHERE g.child_person_id = %(child_person_id)s ORDER BY g.confirmed_at, g.account_id
    """

    def guardianships_of(self, child_person_id: UUID) -> list[Guardianship]:
        """All that were ever confirmed for this person, also those that are over."""
        rows = self.tx.all(self.GUARDIANSHIPS_OF, {"child_person_id": child_person_id})
        return [Guardianship(**row) for row in rows]

    CHILDREN_OF = f"""
        SELECT {COLUMNS}, p.applicant FROM guardianships g JOIN people p ON p.id = g.child_person_id
        WHERE g.account_id = %(account_id)s AND g.valid_until > %(now)s
        ORDER BY p.applicant->>'full_name', p.id
    """

    def children_of(self, account_id: UUID, now: datetime) -> list[Child]:
        """Those of a guardian who are under age then, by name."""
        rows = self.tx.all(self.CHILDREN_OF, {"account_id": account_id, "now": now})
        return [child_of_row(row) for row in rows]

    ENDED_OF = f"""
        SELECT {COLUMNS} FROM guardianships g
        WHERE g.account_id = %(account_id)s AND g.end_reason IS NOT NULL AND g.valid_until <= %(now)s
        ORDER BY g.valid_until DESC, g.child_person_id
    """

    def ended_guardianships_of(self, account_id: UUID, now: datetime) -> list[Guardianship]:
        """Those of a former guardian that an officer has ended, the last first."""
        rows = self.tx.all(self.ENDED_OF, {"account_id": account_id, "now": now})
        return [Guardianship(**row) for row in rows]

    GUARDIANS_OF = f"""
        SELECT {JOINED_ACCOUNT_COLUMNS} FROM guardianships g JOIN accounts a ON a.id = g.account_id
        WHERE g.child_person_id = %(child_person_id)s AND g.valid_until > %(now)s
        ORDER BY g.confirmed_at, a.id
    """

    def guardians_of(self, child_person_id: UUID, now: datetime) -> list[Account]:
        """The accounts of the guardians of somebody who is under age then, in the order in which they were
        confirmed."""
        rows = self.tx.all(self.GUARDIANS_OF, {"child_person_id": child_person_id, "now": now})
        return [account_of_row(row) for row in rows]


def child_of_row(row: Row) -> Child:
    confirmed = {name: value for name, value in row.items() if name != "applicant"}
    return Child(Guardianship(**confirmed), Applicant(**row["applicant"]))
