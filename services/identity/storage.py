"""Identity's tables, in SQL. The only place that knows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.errors import UniqueViolation
from psycopg.types.json import Jsonb

from services.identity.domain import (
    Account,
    Applicant,
    AuditEntry,
    Case,
    CaseStatus,
    Credential,
    CredentialState,
    Ending,
    Officer,
    Outcome,
    Person,
    Photo,
    RegisterAnswer,
    RegisterCheck,
    Session,
    StaffAccount,
    StaffUserTaken,
)
from shared.database import Transaction

# By name, never *: a migration that adds a column would end the prepared statements of the version before.
CASE_COLUMNS = """id, registration_id, declaration_number, agency_code, applicant, photos, warnings,
    register_outcome, mismatched, deadline, language, opened_at, status, traceparent"""
ACCOUNT_COLUMNS = "id, person_id, code, full_name, birth_value, phone, email, language"
JOINED_ACCOUNT_COLUMNS = ", ".join(f"a.{column}" for column in ACCOUNT_COLUMNS.split(", "))
CREDENTIAL_COLUMNS = "id, account_id, state, password_hash, valid_until"

Row = Mapping[str, Any]
Position = tuple[datetime, UUID]


class Storage:
    """Everything identity keeps, inside one transaction."""

    def __init__(self, tx: Transaction) -> None:
        self.tx = tx

    # --- register checks -------------------------------------------------------------------------

    ADD_REGISTER_CHECK = """
        INSERT INTO register_checks (request_id, registration_id, purpose, asker, asked_at)
        VALUES (%(request_id)s, %(registration_id)s, %(purpose)s, %(asker)s, %(at)s)
    """

    def add_register_check(self, check: RegisterCheck) -> None:
        """A question that is about to be asked; a repeated request id is a row of its own."""
        self.tx.run(self.ADD_REGISTER_CHECK, asdict(check))

    ANSWER_REGISTER_CHECK = """
        UPDATE register_checks SET outcome = %(outcome)s, mismatched = %(mismatched)s, answered_at = %(at)s
        WHERE request_id = %(request_id)s AND outcome IS NULL
    """

    def answer_register_check(self, request_id: UUID, answer: RegisterAnswer, at: datetime) -> None:
        """The answer to it; what was written once stays."""
        self.tx.run(self.ANSWER_REGISTER_CHECK, {"request_id": request_id, "at": at, **_answer(answer)})

    REGISTER_ANSWER = """
        SELECT outcome AS register_outcome, mismatched FROM register_checks
        WHERE request_id = %(request_id)s AND registration_id = %(registration_id)s AND outcome IS NOT NULL
        ORDER BY id DESC LIMIT 1
    """

    def register_answer(self, request_id: UUID, registration_id: UUID) -> RegisterAnswer | None:
        """The latest answer to a question asked for this registration."""
        row = self.tx.one(
            self.REGISTER_ANSWER, {"request_id": request_id, "registration_id": registration_id}
        )
        return _register_answer(row) if row else None

    # --- cases -----------------------------------------------------------------------------------

    LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%(key)s, 0))"

    def lock_registration(self, registration_id: UUID) -> None:
        """One after the other for one registration, until the transaction ends."""
        self.tx.one(self.LOCK, {"key": f"registration {registration_id}"})

    ADD_CASE = """
        INSERT INTO cases (id, registration_id, declaration_number, agency_code, applicant, photos, warnings,
                           register_outcome, mismatched, deadline, language, search_text, opened_at,
                           traceparent)
        VALUES (%(id)s, %(registration_id)s, %(declaration_number)s, %(agency_code)s, %(applicant)s,
                %(photos)s, %(warnings)s, %(outcome)s, %(mismatched)s, %(deadline)s, %(language)s,
                %(search_text)s, %(opened_at)s, %(traceparent)s)
        ON CONFLICT (registration_id) DO NOTHING
    """

    def add_case(self, case: Case) -> bool:
        """False when the registration has a case already."""
        row = {
            "id": case.id,
            "registration_id": case.registration_id,
            "declaration_number": case.declaration_number,
            "agency_code": case.agency_code,
            "applicant": Jsonb(asdict(case.applicant)),
            "photos": Jsonb([asdict(photo) for photo in case.photos]),
            "warnings": list(case.warnings),
            "deadline": case.deadline,
            "language": case.language,
            "search_text": case.search_text,
            "opened_at": case.opened_at,
            "traceparent": case.traceparent,
            **_answer(case.register),
        }
        return self.tx.run(self.ADD_CASE, row) == 1

    CASE = f"SELECT {CASE_COLUMNS} FROM cases WHERE id = %(id)s"

    def case(self, case_id: UUID) -> Case | None:
        """The case, whatever its agency."""
        row = self.tx.one(self.CASE, {"id": case_id})
        return _case(row) if row else None

    CASE_OF = f"SELECT {CASE_COLUMNS} FROM cases WHERE registration_id = %(registration_id)s"

    def case_of(self, registration_id: UUID) -> Case | None:
        """The case of a registration."""
        row = self.tx.one(self.CASE_OF, {"registration_id": registration_id})
        return _case(row) if row else None

    CASES = f"""
        SELECT {CASE_COLUMNS} FROM cases
        WHERE agency_code = %(agency_code)s AND status = %(status)s
          AND (%(words)s = '' OR strpos(search_text, %(words)s) > 0)
          AND (%(opened_at)s::timestamptz IS NULL OR (opened_at, id) > (%(opened_at)s, %(id)s::uuid))
        ORDER BY opened_at, id LIMIT %(limit)s
    """

    def cases(
        self, agency_code: str, status: CaseStatus, words: str, after: Position | None, limit: int
    ) -> list[Case]:
        """Oldest first, after a position. ``words`` are folded as ``Case.search_text`` is."""
        opened_at, case_id = after or (None, None)
        rows = self.tx.all(
            self.CASES,
            {
                "agency_code": agency_code,
                "status": status.value,
                "words": words,
                "opened_at": opened_at,
                "id": case_id,
                "limit": limit,
            },
        )
        return [_case(row) for row in rows]

    WAITING_CASES = """
        SELECT (SELECT count(*) FROM (SELECT FROM cases WHERE status = 'waiting'
                                      ORDER BY opened_at LIMIT 10000) AS first_rows) AS rows,
               (SELECT extract(epoch FROM now() - opened_at)::float8 FROM cases
                WHERE status = 'waiting' ORDER BY opened_at LIMIT 1) AS oldest_seconds
    """

    def waiting_cases(self) -> tuple[int, float]:
        """How many wait, counted up to 10,000, and since how many seconds the oldest does, 0 for none."""
        row = self.tx.one(self.WAITING_CASES)
        assert row is not None
        return row["rows"], row["oldest_seconds"] or 0.0

    NOTE_REGISTER_ANSWER = """
        UPDATE cases SET register_outcome = %(outcome)s, mismatched = %(mismatched)s WHERE id = %(id)s
    """

    def note_register_answer(self, case_id: UUID, answer: RegisterAnswer) -> None:
        """The answer that came late."""
        self.tx.run(self.NOTE_REGISTER_ANSWER, {"id": case_id, **_answer(answer)})

    END_CASE = """
        UPDATE cases SET status = %(status)s, ended_at = %(at)s, ended_by = %(staff_id)s, reason = %(reason)s
        WHERE id = %(id)s AND status = 'waiting'
    """

    def end_case(self, case_id: UUID, ending: Ending) -> bool:
        """Give the case its one ending. False when it has one: whoever comes second waits for the first
        transaction and then finds the case ended."""
        row = {"id": case_id, **asdict(ending), "status": ending.status.value}
        return self.tx.run(self.END_CASE, row) == 1

    ENDING = "SELECT status, ended_at, ended_by, reason FROM cases WHERE id = %(id)s AND ended_at IS NOT NULL"

    def ending(self, case_id: UUID) -> Ending | None:
        """How the case ended, once it has."""
        row = self.tx.one(self.ENDING, {"id": case_id})
        return row and Ending(CaseStatus(row["status"]), row["ended_at"], row["ended_by"], row["reason"])

    ADD_CLOSE_REQUEST = """
        INSERT INTO close_requests (registration_id, reason, requested_at)
        VALUES (%(registration_id)s, %(reason)s, %(at)s)
        ON CONFLICT (registration_id) DO NOTHING
    """

    def add_close_request(self, registration_id: UUID, reason: str, at: datetime) -> None:
        """The first request counts."""
        self.tx.run(self.ADD_CLOSE_REQUEST, {"registration_id": registration_id, "reason": reason, "at": at})

    CLOSE_REQUEST = "SELECT reason FROM close_requests WHERE registration_id = %(registration_id)s"

    def close_request(self, registration_id: UUID) -> str | None:
        """Why the registration asked to be closed, if it did."""
        row = self.tx.one(self.CLOSE_REQUEST, {"registration_id": registration_id})
        return row["reason"] if row else None

    # --- people ----------------------------------------------------------------------------------

    def lock_numbers(self, numbers: Sequence[str]) -> None:
        """One after the other for one number. In one order, so that no two wait for each other."""
        for number in sorted(numbers):
            self.tx.one(self.LOCK, {"key": f"number {number}"})

    PEOPLE_WITH = """
        SELECT DISTINCT ON (p.id) p.id, p.applicant, p.verified_at
        FROM person_numbers n JOIN people p ON p.id = n.person_id
        WHERE n.number = ANY(%(numbers)s)
    """

    def people_with(self, numbers: Sequence[str]) -> list[Person]:
        """The verified people for whom any of these numbers stands."""
        rows = self.tx.all(self.PEOPLE_WITH, {"numbers": list(numbers)})
        return [Person(row["id"], Applicant(**row["applicant"]), row["verified_at"]) for row in rows]

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

    # --- accounts --------------------------------------------------------------------------------

    SAVE_ACCOUNT = f"""
        INSERT INTO accounts (id, person_id, code, full_name, birth_value, phone, email, language, opened_at)
        VALUES (%(id)s, %(person_id)s, %(code)s, %(full_name)s, %(birth_value)s, %(phone)s, %(email)s,
                %(language)s, %(at)s)
        ON CONFLICT (person_id) DO UPDATE SET
            code = excluded.code, full_name = excluded.full_name, birth_value = excluded.birth_value,
            phone = excluded.phone, email = excluded.email, language = excluded.language
        RETURNING {ACCOUNT_COLUMNS}
    """

    def save_account(self, account: Account, at: datetime) -> Account:
        """The person's one account as it now is; an existing one keeps its id."""
        row = self.tx.one(self.SAVE_ACCOUNT, {**asdict(account), "at": at})
        assert row is not None
        return _account(row)

    ACCOUNT = f"SELECT {ACCOUNT_COLUMNS} FROM accounts WHERE id = %(id)s"

    def account(self, account_id: UUID) -> Account | None:
        """By its id."""
        row = self.tx.one(self.ACCOUNT, {"id": account_id})
        return _account(row) if row else None

    ACCOUNT_OF = f"SELECT {ACCOUNT_COLUMNS} FROM accounts WHERE person_id = %(person_id)s"

    def account_of(self, person_id: UUID) -> Account | None:
        """By its person."""
        row = self.tx.one(self.ACCOUNT_OF, {"person_id": person_id})
        return _account(row) if row else None

    ACCOUNT_NAMED = f"""
        SELECT {JOINED_ACCOUNT_COLUMNS} FROM person_numbers n JOIN accounts a ON a.person_id = n.person_id
        WHERE n.number = %(user)s
    """

    def account_named(self, user: str) -> Account | None:
        """By any number that stands for its person."""
        row = self.tx.one(self.ACCOUNT_NAMED, {"user": user})
        return _account(row) if row else None

    LOCK_ACCOUNT = "SELECT id FROM accounts WHERE id = %(id)s FOR UPDATE"

    def lock_account(self, account_id: UUID) -> None:
        """One change of passwords after the other."""
        self.tx.one(self.LOCK_ACCOUNT, {"id": account_id})

    # --- credentials and sessions ----------------------------------------------------------------

    LIVE_CREDENTIALS = f"""
        SELECT {CREDENTIAL_COLUMNS} FROM credentials WHERE account_id = %(account_id)s AND state <> 'ended'
        ORDER BY made_at DESC, id DESC
    """

    def live_credentials(self, account_id: UUID) -> list[Credential]:
        """At most one issued and one active, the newest first."""
        return [_credential(row) for row in self.tx.all(self.LIVE_CREDENTIALS, {"account_id": account_id})]

    CREDENTIAL_FOR = f"""
        SELECT {CREDENTIAL_COLUMNS} FROM credentials
        WHERE account_id = %(account_id)s AND cause = %(cause)s
    """

    def credential_for(self, account_id: UUID, cause: str) -> Credential | None:
        """The credential that was made for one cause, in whatever state."""
        row = self.tx.one(self.CREDENTIAL_FOR, {"account_id": account_id, "cause": cause})
        return _credential(row) if row else None

    CAUSE_OF = "SELECT account_id, cause FROM credentials WHERE id = %(id)s"

    def cause_of(self, credential_id: UUID) -> tuple[UUID, str] | None:
        """Whose credential it is, and what it was made for."""
        row = self.tx.one(self.CAUSE_OF, {"id": credential_id})
        return (row["account_id"], row["cause"]) if row else None

    ADD_CREDENTIAL = """
        INSERT INTO credentials (id, account_id, cause, state, password_hash, made_at, valid_until)
        VALUES (%(id)s, %(account_id)s, %(cause)s, %(state)s, %(password_hash)s, %(at)s, %(valid_until)s)
    """

    def add_credential(self, credential: Credential, cause: str, at: datetime) -> None:
        """A new one. ``cause``: the registration it is for (``domain.cause_of_replacement``), or the session
        in which it was set."""
        row = {**asdict(credential), "state": credential.state.value, "cause": cause, "at": at}
        self.tx.run(self.ADD_CREDENTIAL, row)

    END_CREDENTIALS = """
        UPDATE credentials SET state = 'ended', ended_at = %(at)s
        WHERE id = ANY(%(ids)s) AND state <> 'ended'
    """

    def end_credentials(self, credential_ids: Sequence[UUID], at: datetime) -> int:
        """How many of them were still live."""
        return self.tx.run(self.END_CREDENTIALS, {"ids": list(credential_ids), "at": at})

    NOTE_DELIVERY = """
        UPDATE credentials SET delivery = %(state)s
        WHERE id = %(id)s AND (delivery IS NULL OR delivery = 'sent')
    """

    def note_delivery(self, credential_id: UUID, state: str) -> bool:
        """``sent`` gives way to ``delivered`` or ``failed``, which stay. False when nothing was written."""
        return self.tx.run(self.NOTE_DELIVERY, {"id": credential_id, "state": state}) == 1

    START_SESSION = """
        INSERT INTO sessions (id, account_id, scope, started_at)
        SELECT %(id)s, account_id, %(scope)s, %(started_at)s FROM credentials
        WHERE id = %(credential_id)s AND account_id = %(account_id)s AND state <> 'ended'
        FOR SHARE
    """

    def start_session(self, session: Session, credential_id: UUID) -> bool:
        """False when the credential ended before the session began."""
        row = {
            "id": session.id,
            "account_id": session.account.id,
            "scope": session.scope,
            "started_at": session.started_at,
            "credential_id": credential_id,
        }
        return self.tx.run(self.START_SESSION, row) == 1

    SESSION = f"""
        SELECT {JOINED_ACCOUNT_COLUMNS}, s.id AS session_id, s.scope, s.started_at, s.ended_at
        FROM sessions s JOIN accounts a ON a.id = s.account_id WHERE s.id = %(id)s
    """

    def session(self, session_id: UUID) -> Session | None:
        """The session with its account, ended or not."""
        row = self.tx.one(self.SESSION, {"id": session_id})
        if row is None:
            return None
        return Session(row["session_id"], _account(row), row["scope"], row["started_at"], row["ended_at"])

    END_SESSIONS = """
        UPDATE sessions SET ended_at = %(at)s WHERE account_id = %(account_id)s AND ended_at IS NULL
    """

    def end_sessions(self, account_id: UUID, at: datetime) -> None:
        """Every session of the account that still lasts."""
        self.tx.run(self.END_SESSIONS, {"account_id": account_id, "at": at})

    # --- staff -----------------------------------------------------------------------------------

    ADD_STAFF = """
        INSERT INTO staff (id, user_name, display_name, agency_code, password_hash, created_at)
        VALUES (%(id)s, %(user)s, %(name)s, %(agency_code)s, %(password_hash)s, %(at)s)
    """

    def add_staff(self, staff: StaffAccount, at: datetime) -> None:
        """Raises ``StaffUserTaken``."""
        try:
            self.tx.run(self.ADD_STAFF, {**asdict(staff), "at": at})
        except UniqueViolation as error:
            if error.diag.constraint_name != "staff_user_name":
                raise
            raise StaffUserTaken from None

    DISABLE_STAFF = "UPDATE staff SET active = false WHERE user_name = %(user)s RETURNING id"
    END_STAFF_SESSIONS = "DELETE FROM staff_sessions WHERE staff_id = %(id)s"

    def disable_staff(self, user: str) -> UUID | None:
        """No log-in any more, and no session; None when nobody has this name."""
        row = self.tx.one(self.DISABLE_STAFF, {"user": user})
        if row is None:
            return None
        self.tx.run(self.END_STAFF_SESSIONS, {"id": row["id"]})
        staff_id: UUID = row["id"]
        return staff_id

    STAFF_NAMED = """
        SELECT id, user_name, display_name, agency_code, password_hash FROM staff
        WHERE user_name = %(user)s AND active
    """

    def staff_named(self, user: str) -> StaffAccount | None:
        """An active member of staff."""
        row = self.tx.one(self.STAFF_NAMED, {"user": user})
        if row is None:
            return None
        return StaffAccount(
            row["id"], row["user_name"], row["display_name"], row["agency_code"], row["password_hash"]
        )

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

    OFFICER = """
        SELECT s.id, s.agency_code FROM staff_sessions t JOIN staff s ON s.id = t.staff_id
        WHERE t.token_hash = %(token_hash)s AND t.expires_at > %(now)s AND s.active
    """

    def officer(self, token_hash: bytes, now: datetime) -> Officer | None:
        """Who holds the token, while it is valid and the member of staff active."""
        row = self.tx.one(self.OFFICER, {"token_hash": token_hash, "now": now})
        return Officer(row["id"], row["agency_code"]) if row else None

    ADD_AUDIT = """
        INSERT INTO audit (at, staff_id, action, case_id, details)
        VALUES (%(at)s, %(staff_id)s, %(action)s, %(case_id)s, %(details)s)
    """

    def add_audit(self, entry: AuditEntry) -> None:
        """One more line of the audit trail; the database refuses to change it afterwards."""
        self.tx.run(self.ADD_AUDIT, {**asdict(entry), "details": Jsonb(dict(entry.details))})

    # --- pages for reconciling -------------------------------------------------------------------

    STANDING = """
        SELECT c.registration_id, c.status,
               EXISTS (SELECT FROM close_requests r WHERE r.registration_id = c.registration_id) AS is_asked,
               c.status = 'verified'
               AND NOT EXISTS (SELECT FROM credentials k WHERE k.account_id = a.id
                               AND (k.cause = c.registration_id::text OR k.made_at >= c.ended_at))
               AND NOT EXISTS (SELECT FROM jobs j
                               WHERE j.kind = 'issue_credential' AND j.key = c.registration_id::text)
               AS lacks_credential
        FROM cases c
        LEFT JOIN person_numbers n ON n.number = c.applicant->>'code'
        LEFT JOIN accounts a ON a.person_id = n.person_id
    """
    STANDING_OF = STANDING + " WHERE c.registration_id = ANY(%(ids)s)"
    STANDING_AFTER = (
        STANDING
        + """
        WHERE c.registration_id > %(after)s AND c.opened_at <= %(until)s
        ORDER BY c.registration_id LIMIT %(limit)s
    """
    )

    def standing_of(self, registration_ids: Sequence[UUID]) -> list[dict[str, Any]]:
        """How the cases of these registrations stand: ``registration_id, status``, whether the end was asked
        for (``is_asked``), whether a verified one has no credential and none on its way."""
        return self.tx.all(self.STANDING_OF, {"ids": list(registration_ids)})

    def standing_after(self, after: UUID, *, until: datetime, limit: int) -> list[dict[str, Any]]:
        """The same for cases opened until then, in order of registration after ``after``."""
        return self.tx.all(self.STANDING_AFTER, {"after": after, "until": until, "limit": limit})

    FIRST_PASSWORDS_AFTER = """
        SELECT id, cause, state, delivery FROM credentials
        WHERE id > %(after)s AND valid_until IS NOT NULL AND made_at <= %(until)s ORDER BY id LIMIT %(limit)s
    """

    def first_passwords_after(self, after: UUID, *, until: datetime, limit: int) -> list[dict[str, Any]]:
        """First passwords in order of id: ``id, cause, state, delivery``."""
        return self.tx.all(self.FIRST_PASSWORDS_AFTER, {"after": after, "until": until, "limit": limit})

    SESSIONS_ENDED = """
        SELECT account_id, max(ended_at) AS ended_at FROM sessions
        WHERE ended_at BETWEEN %(since)s AND %(until)s AND account_id > %(after)s
        GROUP BY account_id ORDER BY account_id LIMIT %(limit)s
    """

    def sessions_ended(
        self, after: UUID, *, since: datetime, until: datetime, limit: int
    ) -> list[dict[str, Any]]:
        """Accounts whose sessions were ended in that time, in order of id: ``account_id, ended_at``."""
        return self.tx.all(
            self.SESSIONS_ENDED, {"after": after, "since": since, "until": until, "limit": limit}
        )

    LOCKED_OUT_SINCE = """
        SELECT DISTINCT a.id FROM unnest(%(ids)s::uuid[], %(times)s::timestamptz[]) AS told (account_id, at)
        JOIN accounts a ON a.id = told.account_id
        WHERE NOT EXISTS (SELECT FROM credentials c WHERE c.account_id = a.id AND c.made_at >= told.at)
    """

    def locked_out_since(self, told: Sequence[tuple[UUID, datetime]]) -> set[UUID]:
        """Of accounts that had a new password at a time: those that have none made then or later."""
        ids, times = [account_id for account_id, _ in told], [at for _, at in told]
        return {row["id"] for row in self.tx.all(self.LOCKED_OUT_SINCE, {"ids": ids, "times": times})}

    # --- wrong tries, while Redis is away --------------------------------------------------------

    REACHED_BY = """
        SELECT at FROM wrong_tries WHERE kind = %(kind)s AND key = %(key)s AND at > %(since)s
        ORDER BY at DESC OFFSET %(amount)s - 1 LIMIT 1
    """

    def reached_by(self, kind: str, key: bytes, amount: int, *, since: datetime) -> datetime | None:
        """The oldest of the last ``amount`` tries, all after ``since``; None when there were fewer."""
        row = self.tx.one(self.REACHED_BY, {"kind": kind, "key": key, "amount": amount, "since": since})
        return row["at"] if row else None

    ADD_WRONG_TRY = "INSERT INTO wrong_tries (kind, key, at) VALUES (%(kind)s, %(key)s, %(at)s)"
    FORGET_TRIES = """
        DELETE FROM wrong_tries WHERE ctid IN (
            SELECT ctid FROM wrong_tries WHERE at < %(before)s ORDER BY at LIMIT 100 FOR UPDATE SKIP LOCKED
        )
    """

    def add_wrong_try(self, kind: str, key: bytes, *, at: datetime, forget_before: datetime) -> None:
        """One more; some of those from before ``forget_before`` go."""
        self.tx.run(self.ADD_WRONG_TRY, {"kind": kind, "key": key, "at": at})
        self.tx.run(self.FORGET_TRIES, {"before": forget_before})


def _answer(answer: RegisterAnswer) -> dict[str, Any]:
    return {"outcome": answer.outcome.value, "mismatched": list(answer.mismatched_fields)}


def _register_answer(row: Row) -> RegisterAnswer:
    return RegisterAnswer(Outcome(row["register_outcome"]), tuple(row["mismatched"]))


def _case(row: Row) -> Case:
    return Case(
        id=row["id"],
        registration_id=row["registration_id"],
        declaration_number=row["declaration_number"],
        agency_code=row["agency_code"],
        applicant=Applicant(**row["applicant"]),
        photos=tuple(Photo(**photo) for photo in row["photos"]),
        register=_register_answer(row),
        warnings=tuple(row["warnings"]),
        deadline=row["deadline"],
        language=row["language"],
        opened_at=row["opened_at"],
        status=CaseStatus(row["status"]),
        traceparent=row["traceparent"],
    )


def _account(row: Row) -> Account:
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


def _credential(row: Row) -> Credential:
    return Credential(
        row["id"], row["account_id"], CredentialState(row["state"]), row["password_hash"], row["valid_until"]
    )
