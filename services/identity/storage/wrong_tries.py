"""Wrong tries, counted here while Redis is away."""

from __future__ import annotations

from datetime import datetime

from services.identity.storage.tables import LOCK, Tables


class WrongTries(Tables):
    """Counters of value for a day at the most."""

    REACHED_BY = """
        SELECT at FROM wrong_tries WHERE kind = %(kind)s AND key = %(key)s AND at > %(since)s
        ORDER BY at DESC OFFSET %(amount)s - 1 LIMIT 1
    """

    def reached_by(self, kind: str, key: bytes, amount: int, *, since: datetime) -> datetime | None:
        """The oldest of the last ``amount`` tries, all after ``since``; None when there were fewer."""
        row = self.tx.one(self.REACHED_BY, {"kind": kind, "key": key, "amount": amount, "since": since})
        return row["at"] if row else None

    def hold_wrong_tries(self, kind: str, key: bytes) -> None:
        """One is counted after the other, until the transaction ends."""
        self.tx.one(LOCK, {"key": f"wrong_tries {kind} {key.hex()}"})

    ADD_WRONG_TRY = "INSERT INTO wrong_tries (kind, key, at) VALUES (%(kind)s, %(key)s, %(at)s)"
    FORGET_WRONG_TRIES = """
        DELETE FROM wrong_tries WHERE ctid IN (
            SELECT ctid FROM wrong_tries WHERE at < %(before)s
            ORDER BY at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
        )
    """

    def add_wrong_try(self, kind: str, key: bytes, *, at: datetime) -> None:
        """One more."""
        self.tx.run(self.ADD_WRONG_TRY, {"kind": kind, "key": key, "at": at})

    def forget_wrong_tries(self, *, before: datetime, limit: int) -> int:
        """Those from before then, ``limit`` at once; how many went."""
        return self.tx.run(self.FORGET_WRONG_TRIES, {"before": before, "limit": limit})
