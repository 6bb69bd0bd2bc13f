"""Staff, their sessions, and the audit trail."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from uuid import UUID

from psycopg.errors import UniqueViolation
from psycopg.types.json import Jsonb

from services.identity.domain import AuditEntry, Officer, StaffAccount, StaffEntry
from services.identity.refusals import StaffUserTaken
from services.identity.storage.tables import Tables


class Staff(Tables):
    """Members of staff and what they did."""

    ADD_STAFF = """
        INSERT INTO staff (id, user_name, display_name, agency_code, password_hash, created_at,
            enrolment_hash, enrolment_until)
        VALUES (%(id)s, %(user)s, %(name)s, %(agency_code)s, %(password_hash)s, %(at)s,
            %(enrolment_hash)s, %(enrolment_until)s)
    """

    def add_staff(self, staff: StaffAccount, at: datetime) -> None:
        """Raises ``StaffUserTaken``."""
        try:
            self.tx.run(self.ADD_STAFF, {**asdict(staff), "at": at})
        except UniqueViolation as error:
            if error.diag.constraint_name != "staff_user_name":
                raise
            raise StaffUserTaken from None

    DISABLE_STAFF = """
        WITH before AS (SELECT id, active FROM staff WHERE user_name = %(user)s FOR UPDATE)
        UPDATE staff SET active = false FROM before WHERE staff.id = before.id
        RETURNING staff.id, before.active AS was_active
    """
    END_STAFF_SESSIONS = "DELETE FROM staff_sessions WHERE staff_id = %(id)s"

    def disable_staff(self, user: str) -> tuple[UUID, bool] | None:
        """No log-in any more, and no session: who, and whether active until now; None when nobody has this
        name."""
        row = self.tx.one(self.DISABLE_STAFF, {"user": user})
        if row is None:
            return None
        self.tx.run(self.END_STAFF_SESSIONS, {"id": row["id"]})
        return row["id"], row["was_active"]

    STAFF_NAMED = """
        SELECT id, user_name, display_name, agency_code, password_hash, totp_seed, totp_last_step,
            enrolment_hash, enrolment_until
        FROM staff WHERE user_name = %(user)s AND active
    """

    def staff_named(self, user: str) -> StaffAccount | None:
        """An active member of staff."""
        row = self.tx.one(self.STAFF_NAMED, {"user": user})
        if row is None:
            return None
        return StaffAccount(
            row["id"],
            row["user_name"],
            row["display_name"],
            row["agency_code"],
            row["password_hash"],
            row["totp_seed"],
            row["totp_last_step"],
            row["enrolment_hash"],
            row["enrolment_until"],
        )

    ALL_STAFF = """
        SELECT user_name AS "user", display_name AS name, agency_code, active AS is_active,
            totp_last_step IS NOT NULL AS has_app, created_at AS added_at
        FROM staff ORDER BY agency_code, user_name
    """

    def all_staff(self) -> list[StaffEntry]:
        """Whoever was ever added, by agency."""
        return [StaffEntry(**row) for row in self.tx.all(self.ALL_STAFF)]

    RENEW_STAFF_HASH = """
        UPDATE staff SET password_hash = %(renewed)s WHERE id = %(id)s AND password_hash = %(before)s
    """

    def renew_staff_hash(self, staff_id: UUID, before: str, renewed: str) -> None:
        """The same password, hashed with more work."""
        self.tx.run(self.RENEW_STAFF_HASH, {"id": staff_id, "before": before, "renewed": renewed})

    BEGIN_TOTP = """
        UPDATE staff SET totp_seed = %(seed)s
        WHERE id = %(id)s AND totp_last_step IS NULL AND enrolment_hash = %(enrolment_hash)s RETURNING id
    """

    def begin_totp(self, staff_id: UUID, seed: bytes, enrolment_hash: bytes) -> bool:
        """The seed of an app that is to be set up; False when one was set up, or the code is another."""
        asked = {"id": staff_id, "seed": seed, "enrolment_hash": enrolment_hash}
        return self.tx.one(self.BEGIN_TOTP, asked) is not None

    USE_TOTP = """
        UPDATE staff SET totp_last_step = %(step)s, enrolment_hash = NULL, enrolment_until = NULL
        WHERE id = %(id)s AND totp_seed = %(seed)s AND coalesce(totp_last_step < %(step)s, true)
        RETURNING id
    """

    def use_totp(self, staff_id: UUID, seed: bytes, step: int) -> bool:
        """From here on this step and those before it are used, and so is the operator's code; False when it
        was, or the seed is another."""
        return self.tx.one(self.USE_TOTP, {"id": staff_id, "seed": seed, "step": step}) is not None

    RESET_TOTP = """
        UPDATE staff SET totp_seed = NULL, totp_last_step = NULL,
            enrolment_hash = %(enrolment_hash)s, enrolment_until = %(until)s
        WHERE user_name = %(user)s AND active RETURNING id
    """

    def reset_totp(self, user: str, enrolment_hash: bytes, until: datetime) -> UUID | None:
        """No app is set up any more, and no session lasts; with this code another may be set up until then.
        None when no active member has this name."""
        asked = {"user": user, "enrolment_hash": enrolment_hash, "until": until}
        row = self.tx.one(self.RESET_TOTP, asked)
        if row is None:
            return None
        self.tx.run(self.END_STAFF_SESSIONS, {"id": row["id"]})
        staff_id: UUID = row["id"]
        return staff_id

    START_STAFF_SESSION = """
        INSERT INTO staff_sessions (token_hash, staff_id, started_at, expires_at)
        VALUES (%(token_hash)s, %(staff_id)s, %(started_at)s, %(expires_at)s)
    """
    FORGET_STAFF_SESSIONS = "DELETE FROM staff_sessions WHERE expires_at < %(now)s"

    def start_staff_session(
        self, token_hash: bytes, staff_id: UUID, started_at: datetime, expires_at: datetime
    ) -> None:
        """Only the token's hash is kept. Sessions that expired are forgotten on the way."""
        self.tx.run(self.FORGET_STAFF_SESSIONS, {"now": started_at})
        self.tx.run(
            self.START_STAFF_SESSION,
            {
                "token_hash": token_hash,
                "staff_id": staff_id,
                "started_at": started_at,
                "expires_at": expires_at,
            },
        )

    END_STAFF_SESSION = "DELETE FROM staff_sessions WHERE token_hash = %(token_hash)s"

    def end_staff_session(self, token_hash: bytes) -> None:
        """The token with this hash is nobody's any more."""
        self.tx.run(self.END_STAFF_SESSION, {"token_hash": token_hash})

    OFFICER = """
        SELECT s.id, s.agency_code FROM staff_sessions t JOIN staff s ON s.id = t.staff_id
        WHERE t.token_hash = %(token_hash)s AND t.expires_at > %(now)s AND s.active
    """

    def officer(self, token_hash: bytes, now: datetime) -> Officer | None:
        """Who holds the token, while it is valid and the member of staff active."""
        row = self.tx.one(self.OFFICER, {"token_hash": token_hash, "now": now})
        return Officer(row["id"], row["agency_code"]) if row else None

    has_audited = False
    """Whether a row of the audit trail was added through this storage."""

    def audit_at_least(self, entry: AuditEntry) -> None:
        """This row, unless another has been added when the transaction commits."""
        self.tx.before_commit.append(lambda: None if self.has_audited else self.add_audit(entry))

    ADD_AUDIT = """
        INSERT INTO audit (at, staff_id, action, case_id, details)
        VALUES (%(at)s, %(staff_id)s, %(action)s, %(case_id)s, %(details)s)
    """

    def add_audit(self, entry: AuditEntry) -> None:
        """One more line of the audit trail; the database refuses to change it afterwards."""
        self.has_audited = True
        self.tx.run(self.ADD_AUDIT, {**asdict(entry), "details": Jsonb(dict(entry.details))})
