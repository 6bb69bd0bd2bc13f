"""The audit trail as it is sealed and verified."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from psycopg.types.json import Jsonb

from services.identity.sealing import Loss, Seal, TrailRow
from services.identity.storage.tables import LOCK, Tables

Row = Mapping[str, Any]

ROWS = """
    SELECT id, at, staff_id, action, case_id, details::text AS details FROM audit
    WHERE id > %(after)s AND id <= %(until)s ORDER BY id
"""
SEAL_COLUMNS = "sequence, epoch, ids, digests, last_id, previous, sealed_at, loss, hash"
SEALS = f"SELECT {SEAL_COLUMNS} FROM audit_seals WHERE sequence > %(after)s ORDER BY sequence"


class Trail(Tables):
    """Rows of the audit trail by position, and the seals over them."""

    LAST_ROW = "SELECT max(id) AS id FROM audit"
    TRANSACTION = "SELECT pg_current_xact_id()::text AS number"

    def last_row_and_moment(self) -> tuple[int, str]:
        """The last row that is visible, 0 for none, and the number of a transaction begun after that."""
        row = self.tx.one(self.LAST_ROW)
        begun = self.tx.one(self.TRANSACTION)  # a statement of its own: after the first has looked
        assert row is not None
        assert begun is not None
        return row["id"] or 0, begun["number"]

    ENDED = "SELECT pg_snapshot_xmin(pg_current_snapshot()) >= %(moment)s::xid8 AS ended"

    def have_ended_before(self, moment: str) -> bool:
        """Whether every transaction that was begun before that one has ended: no row can come late then."""
        row = self.tx.one(self.ENDED, {"moment": moment})
        return row is not None and row["ended"]

    def lock_seals(self) -> None:
        """One who seals after the other."""
        self.tx.one(LOCK, {"key": "audit seals"})

    HEAD = f"SELECT {SEAL_COLUMNS} FROM audit_seals ORDER BY sequence DESC LIMIT 1"

    def last_seal(self) -> Seal | None:
        """The head of the chain."""
        row = self.tx.one(self.HEAD)
        return seal_of_row(row) if row else None

    SEAL = f"SELECT {SEAL_COLUMNS} FROM audit_seals WHERE sequence = %(sequence)s"

    def seal(self, sequence: int) -> Seal | None:
        """One by its number."""
        row = self.tx.one(self.SEAL, {"sequence": sequence})
        return seal_of_row(row) if row else None

    def seals_after(self, sequence: int, limit: int) -> list[Seal]:
        """The next ones."""
        rows = self.tx.all(SEALS + " LIMIT %(limit)s", {"after": sequence, "limit": limit})
        return [seal_of_row(row) for row in rows]

    def trail(self, *, after: int, until: int, limit: int) -> list[TrailRow]:
        """Rows after one id up to another, in order."""
        rows = self.tx.all(ROWS + " LIMIT %(limit)s", {"after": after, "until": until, "limit": limit})
        return [TrailRow(**row) for row in rows]

    ADD_SEAL = """
        INSERT INTO audit_seals (sequence, epoch, ids, digests, last_id, previous, sealed_at, loss, hash)
        VALUES (%(sequence)s, %(epoch)s, %(ids)s, %(digests)s, %(last_id)s, %(previous)s, %(sealed_at)s,
                %(loss)s, %(hash)s)
    """

    def add_seal(self, seal: Seal) -> None:
        """One more link."""
        loss = Jsonb(asdict(seal.loss)) if seal.loss else None
        lists = {"ids": list(seal.ids), "digests": list(seal.digests), "loss": loss}
        self.tx.run(self.ADD_SEAL, {**vars(seal), **lists})

    SKIP_IDS = """
        SELECT setval(pg_get_serial_sequence('audit', 'id'),
                      coalesce((SELECT max(id) FROM audit), 0) + %(amount)s)
    """

    def skip_audit_ids(self, amount: int) -> None:
        """Ids that were handed out and lost are not handed out again."""
        self.tx.one(self.SKIP_IDS, {"amount": amount})

    UNSEALED = """
        SELECT extract(epoch FROM now() - at)::float8 AS oldest_seconds FROM audit
        WHERE id > coalesce((SELECT last_id FROM audit_seals ORDER BY sequence DESC LIMIT 1), 0)
        ORDER BY id LIMIT 1
    """

    def unsealed_seconds(self) -> float:
        """The age of the first row that no seal covers, 0 for none."""
        row = self.tx.one(self.UNSEALED)
        return row["oldest_seconds"] if row else 0.0


def seal_of_row(row: Row) -> Seal:
    loss = row["loss"]
    lists = {"ids": tuple(row["ids"]), "digests": tuple(row["digests"]), "loss": loss and Loss(**loss)}
    return Seal(**{**row, **lists})
