"""What people asked about their own data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from services.identity.domain import Case, CaseStatus
from services.identity.rights import PersonRequest, RequestKind, RequestState
from services.identity.storage.cases import CASE_COLUMNS, case_of_row
from services.identity.storage.tables import Tables

COLUMNS = (
    "id, account_id, agency_code, kind, asked_at, due_at, wanted, state, answer, answered_at, answered_by"
)
Row = Mapping[str, Any]


class Rights(Tables):
    """Requests of people, and what an account's data consists of."""

    ADD = f"""
        INSERT INTO person_requests ({COLUMNS})
        VALUES (%(id)s, %(account_id)s, %(agency_code)s, %(kind)s, %(asked_at)s, %(due_at)s, %(wanted)s,
                %(state)s, %(answer)s, %(answered_at)s, %(answered_by)s)
    """

    def add_request(self, request: PersonRequest) -> None:
        """A new one; an account has one open correction and one open erasure at the most."""
        row = {
            **asdict(request),
            "kind": request.kind.value,
            "state": request.state.value,
            "wanted": Jsonb(dict(request.wanted)),
        }
        self.tx.run(self.ADD, row)

    ANSWER = """
        UPDATE person_requests SET state = %(state)s, answer = %(answer)s, answered_at = %(answered_at)s,
            answered_by = %(answered_by)s
        WHERE id = %(id)s AND state = 'open'
    """

    def answer_request(self, request: PersonRequest) -> None:
        """Its one answer."""
        row = {
            "id": request.id,
            "state": request.state.value,
            "answer": request.answer,
            "answered_at": request.answered_at,
            "answered_by": request.answered_by,
        }
        self.tx.run(self.ANSWER, row)

    BY_ID = f"SELECT {COLUMNS} FROM person_requests WHERE id = %(id)s FOR UPDATE"

    def request(self, request_id: UUID) -> PersonRequest | None:
        """Held until the transaction ends."""
        row = self.tx.one(self.BY_ID, {"id": request_id})
        return _request(row) if row else None

    OF_ACCOUNT = f"""
        SELECT {COLUMNS} FROM person_requests WHERE account_id = %(account_id)s
        ORDER BY asked_at DESC, id DESC LIMIT %(limit)s
    """

    def requests_of(self, account_id: UUID, limit: int) -> list[PersonRequest]:
        """The latest ones, newest first."""
        return [
            _request(row) for row in self.tx.all(self.OF_ACCOUNT, {"account_id": account_id, "limit": limit})
        ]

    EXPORTS_SINCE = """
        SELECT asked_at FROM person_requests
        WHERE account_id = %(account_id)s AND asked_at > %(since)s AND kind = 'export' ORDER BY asked_at DESC
    """

    def exports_since(self, account_id: UUID, since: datetime) -> list[datetime]:
        """When the account's data was handed over since then, the last first."""
        rows = self.tx.all(self.EXPORTS_SINCE, {"account_id": account_id, "since": since})
        return [row["asked_at"] for row in rows]

    OPEN_OF_ACCOUNT = f"""
        SELECT {COLUMNS} FROM person_requests
        WHERE account_id = %(account_id)s AND state = 'open' AND kind = %(kind)s
    """

    def open_request(self, account_id: UUID, kind: RequestKind) -> PersonRequest | None:
        """The one of this kind that waits for its answer."""
        row = self.tx.one(self.OPEN_OF_ACCOUNT, {"account_id": account_id, "kind": kind.value})
        return _request(row) if row else None

    OPEN_AT = f"""
        SELECT {COLUMNS} FROM person_requests
        WHERE agency_code = %(agency_code)s AND state = 'open' AND kind = 'correction'
        ORDER BY due_at, id LIMIT %(limit)s
    """

    def open_requests(self, agency_code: str, limit: int) -> list[PersonRequest]:
        """Corrections that wait at an agency, the first due first."""
        return [
            _request(row) for row in self.tx.all(self.OPEN_AT, {"agency_code": agency_code, "limit": limit})
        ]

    # A credential's cause is its registration, with the number of a replacement behind it, or a session.
    CASES_OF_ACCOUNT = f"""
        SELECT {CASE_COLUMNS} FROM cases WHERE registration_id IN
            (SELECT split_part(cause, ' ', 1)::uuid FROM credentials WHERE account_id = %(account_id)s)
        ORDER BY opened_at DESC, id DESC
    """

    def cases_of_account(self, account_id: UUID) -> list[Case]:
        """The cases that ended in a credential of this account, newest first."""
        return [case_of_row(row) for row in self.tx.all(self.CASES_OF_ACCOUNT, {"account_id": account_id})]

    LOG_INS = """
        SELECT started_at, ended_at FROM sessions WHERE account_id = %(account_id)s
        ORDER BY started_at DESC LIMIT %(limit)s
    """

    def log_ins(self, account_id: UUID, limit: int) -> list[tuple[datetime, datetime | None]]:
        """When sessions began and were ended, newest first."""
        rows = self.tx.all(self.LOG_INS, {"account_id": account_id, "limit": limit})
        return [(row["started_at"], row["ended_at"]) for row in rows]

    QUESTIONS = """
        SELECT purpose, asked_at, answered_at IS NOT NULL AS answered FROM register_checks
        WHERE registration_id = ANY(%(ids)s) ORDER BY id DESC LIMIT %(limit)s
    """

    def register_questions(self, registration_ids: list[UUID], limit: int) -> list[dict[str, Any]]:
        """What the population register was asked for: ``purpose, asked_at, answered``, newest first."""
        return self.tx.all(self.QUESTIONS, {"ids": registration_ids, "limit": limit})

    REGISTERED_BY = f"""
        SELECT {CASE_COLUMNS} FROM cases
        WHERE guardian IS NOT NULL AND guardian ->> 'account_id' = %(account_id)s
            AND status = ANY(%(statuses)s)
        ORDER BY opened_at, id
    """

    def cases_registered_by(self, account_id: UUID, *statuses: CaseStatus) -> list[Case]:
        """In which the account's holder registered a child, and which stand so; not those that were
        emptied."""
        wanted = {"account_id": str(account_id), "statuses": [status.value for status in statuses]}
        return [case_of_row(row) for row in self.tx.all(self.REGISTERED_BY, wanted)]

    EMPTY_CASE = """
        UPDATE cases SET applicant = %(applicant)s, warnings = '{}', mismatched = '{}', supplement = NULL,
            guardian = NULL, search_text = %(search_text)s, erased_at = %(at)s,
            reason = CASE WHEN status = 'rejected' THEN '' ELSE reason END
        WHERE id = %(id)s AND status IN ('rejected', 'closed')
    """

    def save_emptied(self, case: Case, at: datetime) -> None:
        """A case that came to nothing, without what is personal; of its reason only a word of ours stays."""
        row = {"id": case.id, "applicant": Jsonb(asdict(case.applicant)), "search_text": case.search_text}
        self.tx.run(self.EMPTY_CASE, {**row, "at": at})

    OVERDUE = """
        SELECT coalesce(max(extract(epoch FROM now() - due_at)), 0)::float8 AS seconds FROM person_requests
        WHERE state = 'open' AND due_at < now()
    """

    def overdue_seconds(self) -> float:
        """How long the oldest open request is overdue; 0 when none is."""
        row = self.tx.one(self.OVERDUE)
        return row["seconds"] if row else 0.0


def _request(row: Row) -> PersonRequest:
    return PersonRequest(**{**row, "kind": RequestKind(row["kind"]), "state": RequestState(row["state"])})
