"""Verified people and their accounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from services.identity.domain import (
    Account,
    Applicant,
    ContactChange,
    Person,
)
from services.identity.storage.tables import LOCK, Tables

ACCOUNT_COLUMNS = "id, person_id, code, full_name, birth_value, phone, email, language"
JOINED_ACCOUNT_COLUMNS = ", ".join(f"a.{column}" for column in ACCOUNT_COLUMNS.split(", "))
Row = Mapping[str, Any]


class People(Tables):
    """People, the numbers that stand for them, accounts."""

    def lock_numbers(self, numbers: Sequence[str]) -> None:
        """One after the other for one number. In one order, so that no two wait for each other."""
        for number in sorted(numbers):
            self.tx.one(LOCK, {"key": f"number {number}"})

    PEOPLE_WITH = """
        SELECT p.id, p.applicant, p.verified_at,
               ARRAY(SELECT m.number FROM person_numbers m WHERE m.person_id = p.id) AS all_numbers
        FROM people p
        WHERE p.id IN (SELECT n.person_id FROM person_numbers n WHERE n.number = ANY(%(numbers)s))
    """

    def people_with(self, numbers: Sequence[str]) -> list[Person]:
        """The verified people for whom any of these numbers stands."""
        rows = self.tx.all(self.PEOPLE_WITH, {"numbers": list(numbers)})
        return [
            Person(
                row["id"], Applicant(**row["applicant"]), row["verified_at"], frozenset(row["all_numbers"])
            )
            for row in rows
        ]

    SAVE_PERSON = """
        INSERT INTO people (id, applicant, verified_at) VALUES (%(id)s, %(applicant)s, %(verified_at)s)
        ON CONFLICT (id) DO UPDATE SET applicant = excluded.applicant, verified_at = excluded.verified_at
    """
    SAVE_NUMBERS = """
        INSERT INTO person_numbers (number, person_id) SELECT unnest(%(numbers)s::text[]), %(id)s
        ON CONFLICT (number) DO NOTHING
    """

    def save_person(self, person: Person) -> None:
        """A new person, or what the desk saw last of a known one. Numbers are only ever added."""
        applicant = Jsonb(asdict(person.applicant))
        self.tx.run(
            self.SAVE_PERSON, {"id": person.id, "applicant": applicant, "verified_at": person.verified_at}
        )
        self.tx.run(self.SAVE_NUMBERS, {"id": person.id, "numbers": list(person.applicant.numbers)})

    SAVE_ACCOUNT = f"""
        INSERT INTO accounts (id, person_id, code, full_name, birth_value, phone, email, language, opened_at)
        VALUES (%(id)s, %(person_id)s, %(code)s, %(full_name)s, %(birth_value)s, %(phone)s, %(email)s,
                %(language)s, %(at)s)
        ON CONFLICT (person_id) DO UPDATE SET
            code = excluded.code, full_name = excluded.full_name, birth_value = excluded.birth_value,
            phone = excluded.phone, email = excluded.email, language = excluded.language,
            contact_since = CASE
                WHEN accounts.phone = excluded.phone AND lower(accounts.email) = lower(excluded.email)
                THEN accounts.contact_since ELSE %(at)s END
        RETURNING {ACCOUNT_COLUMNS}
    """

    def save_account(self, account: Account, at: datetime) -> Account:
        """The person's one account as it now is; an existing one keeps its id. ``at``: since when it has this
        contact, if that is another one."""
        row = self.tx.one(self.SAVE_ACCOUNT, {**asdict(account), "at": at})
        assert row is not None
        return account_of_row(row)

    ACCOUNT = f"SELECT {ACCOUNT_COLUMNS} FROM accounts WHERE id = %(id)s"

    def account(self, account_id: UUID) -> Account | None:
        """By its id."""
        row = self.tx.one(self.ACCOUNT, {"id": account_id})
        return account_of_row(row) if row else None

    ACCOUNT_OF = f"SELECT {ACCOUNT_COLUMNS} FROM accounts WHERE person_id = %(person_id)s"

    def account_of(self, person_id: UUID) -> Account | None:
        """By its person."""
        row = self.tx.one(self.ACCOUNT_OF, {"person_id": person_id})
        return account_of_row(row) if row else None

    NOTE_THROTTLED_TOLD = """
        UPDATE accounts SET throttled_told_at = %(at)s
        WHERE id = %(id)s AND coalesce(throttled_told_at, '-infinity') < %(last_before)s
    """

    def note_throttled_told(self, account_id: UUID, at: datetime, *, last_before: datetime) -> bool:
        """That its holder is told of guessing; False when that was noted since ``last_before``."""
        noted = {"id": account_id, "at": at, "last_before": last_before}
        return self.tx.run(self.NOTE_THROTTLED_TOLD, noted) == 1

    ACCOUNT_NAMED = f"""
        SELECT {JOINED_ACCOUNT_COLUMNS} FROM person_numbers n JOIN accounts a ON a.person_id = n.person_id
        WHERE n.number = %(user)s
    """

    def account_named(self, user: str) -> Account | None:
        """By any number that stands for its person."""
        row = self.tx.one(self.ACCOUNT_NAMED, {"user": user})
        return account_of_row(row) if row else None

    CHANGE = """
        SELECT id, account_id, staff_id, phone, email, reason, asked_at, state FROM contact_changes
    """
    ADD_CHANGE = """
        INSERT INTO contact_changes (id, account_id, staff_id, phone, email, reason, asked_at, state)
        VALUES (%(id)s, %(account_id)s, %(staff_id)s, %(phone)s, %(email)s, %(reason)s, %(asked_at)s,
                %(state)s)
    """
    CHANGE_BY_ID = CHANGE + " WHERE id = %(id)s"
    PENDING_CHANGE = CHANGE + " WHERE account_id = %(account_id)s AND state = 'pending'"
    END_CHANGE = "UPDATE contact_changes SET state = %(state)s, ended_at = %(at)s WHERE id = %(id)s"

    def add_contact_change(self, change: ContactChange) -> None:
        """An account has one pending change at a time."""
        self.tx.run(self.ADD_CHANGE, asdict(change))

    def contact_change(self, change_id: UUID, *, to_change: bool = False) -> ContactChange | None:
        """``to_change`` holds it until the transaction ends."""
        sql = self.CHANGE_BY_ID + (" FOR UPDATE" if to_change else "")
        row = self.tx.one(sql, {"id": change_id})
        return ContactChange(**row) if row else None

    def pending_contact_change(self, account_id: UUID) -> ContactChange | None:
        """The one that is under way."""
        row = self.tx.one(self.PENDING_CHANGE, {"account_id": account_id})
        return ContactChange(**row) if row else None

    def end_contact_change(self, change_id: UUID, state: str, at: datetime) -> None:
        """``changed`` or ``refused``."""
        self.tx.run(self.END_CHANGE, {"id": change_id, "state": state, "at": at})

    CONTACT_IN_DOUBT = """
        SELECT EXISTS (
            SELECT FROM contact_changes c
            WHERE c.state = 'pending' AND (c.account_id = %(id)s OR c.account_id IN (
                SELECT g.account_id FROM guardianships g JOIN accounts a ON a.person_id = g.child_person_id
                WHERE a.id = %(id)s AND g.valid_until > %(now)s))
        ) OR EXISTS (
            SELECT FROM accounts a JOIN people p ON p.id = a.person_id
            JOIN guardianships g ON g.child_person_id = p.id JOIN accounts b ON b.id = g.account_id
            WHERE a.id = %(id)s AND g.valid_until <= %(now)s AND (
                a.phone = b.phone OR lower(a.email) = lower(b.email)
                OR p.verified_at <= g.confirmed_at AND NOT EXISTS (
                    SELECT FROM contact_changes c
                    WHERE c.account_id = a.id AND c.state = 'changed' AND c.asked_at > g.confirmed_at)
                AND NOT EXISTS (
                    SELECT FROM guardianships h JOIN accounts d ON d.id = h.account_id
                    WHERE h.child_person_id = p.id AND h.valid_until > %(now)s
                        AND d.phone = a.phone AND lower(d.email) = lower(a.email)))
        ) AS is_doubted
    """

    def is_contact_in_doubt(self, account_id: UUID, now: datetime) -> bool:
        """Whether the contact may be in other hands: the desk is changing it, or a guardian's that it
        follows; or its holder has come of age and has none but the one that a guardian gave; or it is, in
        part, that of somebody whose guardianship was ended."""
        row = self.tx.one(self.CONTACT_IN_DOUBT, {"id": account_id, "now": now})
        return bool(row and row["is_doubted"])

    LOCK_ACCOUNT = "SELECT id FROM accounts WHERE id = %(id)s FOR UPDATE"

    def lock_account(self, account_id: UUID) -> None:
        """One change of passwords after the other."""
        self.tx.one(self.LOCK_ACCOUNT, {"id": account_id})


def account_of_row(row: Row) -> Account:
    return Account(
        id=row["id"],
        person_id=row["person_id"],
        code=row["code"],
        full_name=row["full_name"],
        birth_value=row["birth_value"],
        phone=row["phone"],
        email=row["email"],
        language=row["language"],
    )
