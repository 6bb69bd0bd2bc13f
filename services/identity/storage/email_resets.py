"""Resets of passwords by e-mail."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from uuid import UUID

from services.identity.email_reset import EmailReset
from services.identity.storage.tables import Tables

COLUMNS = (
    'id, asked_at, valid_until, user_name AS "user", email, email_given, account_id, keyed_hash, tries_left,'
    " used_at"
)


class EmailResets(Tables):
    """Askings of the last days, by whomever."""

    ADD_RESET = """
        INSERT INTO email_resets (id, asked_at, valid_until, user_name, email, email_given, tries_left)
        VALUES (%(id)s, %(asked_at)s, %(valid_until)s, %(user)s, %(email)s, %(email_given)s, %(tries_left)s)
    """

    def add_email_reset(self, reset: EmailReset) -> None:
        """A new one."""
        self.tx.run(self.ADD_RESET, asdict(reset))

    RESET = f"SELECT {COLUMNS} FROM email_resets WHERE id = %(id)s"

    def email_reset(self, reset_id: UUID, *, to_change: bool = False) -> EmailReset | None:
        """``to_change`` holds it until the transaction ends."""
        row = self.tx.one(self.RESET + (" FOR UPDATE" if to_change else ""), {"id": reset_id})
        return EmailReset(**row) if row else None

    SAVE_RESET = """
        UPDATE email_resets SET user_name = %(user)s, email = %(email)s, account_id = %(account_id)s,
            keyed_hash = %(keyed_hash)s, tries_left = %(tries_left)s, used_at = %(used_at)s
        WHERE id = %(id)s
    """

    def save_email_reset(self, reset: EmailReset) -> None:
        """As it has become."""
        self.tx.run(self.SAVE_RESET, asdict(reset))

    RESETS_SENT = """
        SELECT count(*) AS sent FROM email_resets
        WHERE account_id = %(account_id)s AND email_given = %(email_given)s AND asked_at > %(since)s
    """

    def email_resets_sent(self, account_id: UUID, *, email_given: bool, since: datetime) -> int:
        """How many codes went out for an account, asked for with or without its e-mail."""
        row = self.tx.one(
            self.RESETS_SENT, {"account_id": account_id, "email_given": email_given, "since": since}
        )
        return row["sent"] if row else 0

    RESETS_OF = """
        SELECT asked_at, used_at FROM email_resets WHERE account_id = %(account_id)s
        ORDER BY asked_at DESC LIMIT %(limit)s
    """

    def email_resets_of(self, account_id: UUID, limit: int) -> list[tuple[datetime, datetime | None]]:
        """When codes were asked for and used, newest first."""
        rows = self.tx.all(self.RESETS_OF, {"account_id": account_id, "limit": limit})
        return [(row["asked_at"], row["used_at"]) for row in rows]

    FORGET_RESET = "DELETE FROM email_resets WHERE id = %(id)s"

    def forget_email_reset(self, reset_id: UUID) -> None:
        """It is not known any more."""
        self.tx.run(self.FORGET_RESET, {"id": reset_id})
