"""Register checks and cases."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from services.identity.domain import (
    Applicant,
    Case,
    CaseStatus,
    Ending,
    Guardian,
    Hold,
    Outcome,
    Photo,
    RegisterAnswer,
    RegisterCheck,
    Supplement,
)
from services.identity.storage.tables import LOCK, Tables

# By name, never *: a migration that adds a column would end the prepared statements of the version before.
CASE_COLUMNS = """id, registration_id, declaration_number, agency_code, applicant, photos, warnings,
    register_outcome, mismatched, deadline, language, opened_at, status, traceparent,
    claimed_by, claimed_until, supplement, photos_at, first_confirmed_by, guardian,
    (SELECT display_name FROM staff WHERE staff.id = claimed_by) AS claimed_by_name"""
Row = Mapping[str, Any]
Position = tuple[datetime, UUID]


class Cases(Tables):
    """Questions to the register, cases, requests to close."""

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

    def lock_registration(self, registration_id: UUID) -> None:
        """One after the other for one registration, until the transaction ends."""
        self.tx.one(LOCK, {"key": f"registration {registration_id}"})

    ADD_CASE = """
        INSERT INTO cases (id, registration_id, declaration_number, agency_code, applicant, photos, warnings,
                           register_outcome, mismatched, deadline, language, search_text, opened_at,
                           traceparent, guardian)
        VALUES (%(id)s, %(registration_id)s, %(declaration_number)s, %(agency_code)s, %(applicant)s,
                %(photos)s, %(warnings)s, %(outcome)s, %(mismatched)s, %(deadline)s, %(language)s,
                %(search_text)s, %(opened_at)s, %(traceparent)s, %(guardian)s)
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
            "guardian": case.guardian and Jsonb(asdict(case.guardian), dumps=_dumps),
            **_answer(case.register),
        }
        return self.tx.run(self.ADD_CASE, row) == 1

    CASE = f"SELECT {CASE_COLUMNS} FROM cases WHERE id = %(id)s"
    CASE_TO_CHANGE = CASE + " FOR UPDATE"

    def case(self, case_id: UUID, *, to_change: bool = False) -> Case | None:
        """The case, whatever its agency; ``to_change`` holds it until the transaction ends."""
        row = self.tx.one(self.CASE_TO_CHANGE if to_change else self.CASE, {"id": case_id})
        return case_of_row(row) if row else None

    CASE_OF = f"SELECT {CASE_COLUMNS} FROM cases WHERE registration_id = %(registration_id)s"
    CASE_OF_TO_CHANGE = CASE_OF + " FOR UPDATE"

    def case_of(self, registration_id: UUID, *, to_change: bool = False) -> Case | None:
        """The case of a registration."""
        sql = self.CASE_OF_TO_CHANGE if to_change else self.CASE_OF
        row = self.tx.one(sql, {"registration_id": registration_id})
        return case_of_row(row) if row else None

    SAVE_CASE = """
        UPDATE cases SET photos = %(photos)s, photos_at = %(photos_at)s, claimed_by = %(claimed_by)s,
            claimed_until = %(claimed_until)s, supplement = %(supplement)s,
            first_confirmed_by = %(first_confirmed_by)s
        WHERE id = %(id)s AND status = 'waiting'
    """

    def save_case(self, case: Case) -> None:
        """What happened to a waiting case that was read to be changed: who holds it, what was asked for and
        came, who confirmed first."""
        row = {
            "id": case.id,
            "photos": Jsonb([asdict(photo) for photo in case.photos]),
            "photos_at": case.photos_at,
            "claimed_by": case.hold and case.hold.staff_id,
            "claimed_until": case.hold and case.hold.until,
            "supplement": case.supplement and Jsonb(asdict(case.supplement), dumps=_dumps),
            "first_confirmed_by": case.first_confirmed_by,
        }
        self.tx.run(self.SAVE_CASE, row)

    CASES = f"""
        SELECT {CASE_COLUMNS} FROM cases
        WHERE agency_code = %(agency_code)s AND status = %(status)s
          AND (cardinality(%(words)s::text[]) = 0
               OR string_to_array(agency_code || ' ' || search_text, ' ') @> %(words)s::text[])
          AND (%(opened_at)s::timestamptz IS NULL OR (opened_at, id) > (%(opened_at)s, %(id)s::uuid))
        ORDER BY opened_at, id LIMIT %(limit)s
    """

    def cases(
        self,
        agency_code: str,
        status: CaseStatus,
        words: Sequence[str],
        after: Position | None,
        limit: int,
        *,
        or_words: Sequence[str] | None = None,
    ) -> list[Case]:
        """Oldest first, after a position. ``words`` are whole words of ``Case.search_text``, or else all of
        ``or_words`` are; an index finds them among those of the agency, asked for each by itself."""
        searches = {tuple(words), tuple(words if or_words is None else or_words)}
        found = {
            case.id: case
            for some in searches
            for case in self._cases(agency_code, status, some, after, limit)
        }
        return sorted(found.values(), key=lambda case: (case.opened_at, case.id))[:limit]

    def _cases(
        self, agency_code: str, status: CaseStatus, words: Sequence[str], after: Position | None, limit: int
    ) -> list[Case]:
        opened_at, case_id = after or (None, None)
        rows = self.tx.all(
            self.CASES,
            {
                "agency_code": agency_code,
                "status": status.value,
                "words": [agency_code, *words] if words else [],
                "opened_at": opened_at,
                "id": case_id,
                "limit": limit,
            },
        )
        return [case_of_row(row) for row in rows]

    CASES_WITH = f"""
        SELECT {CASE_COLUMNS} FROM cases
        WHERE string_to_array(agency_code || ' ' || search_text, ' ') && %(numbers)s::text[]
            AND status = ANY(%(statuses)s)
        ORDER BY opened_at, id
    """

    def cases_with(self, numbers: Collection[str], *statuses: CaseStatus) -> list[Case]:
        """Cases of any agency in which one of these numbers was declared, oldest first; not those that were
        emptied."""
        values = {"numbers": sorted(numbers), "statuses": [status.value for status in statuses]}
        return [case_of_row(row) for row in self.tx.all(self.CASES_WITH, values)]

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


def _answer(answer: RegisterAnswer) -> dict[str, Any]:
    return {"outcome": answer.outcome.value, "mismatched": list(answer.mismatched_fields)}


def _register_answer(row: Row) -> RegisterAnswer:
    return RegisterAnswer(Outcome(row["register_outcome"]), tuple(row["mismatched"]))


def case_of_row(row: Row) -> Case:
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
        hold=row["claimed_by"]
        and Hold(row["claimed_by"], row["claimed_until"], row["claimed_by_name"] or ""),
        supplement=row["supplement"] and _supplement(row["supplement"]),
        photos_at=row["photos_at"],
        first_confirmed_by=row["first_confirmed_by"],
        guardian=row["guardian"] and _guardian(row["guardian"]),
    )


def _dumps(kept: Any) -> str:
    """JSON with ids and times as texts."""
    return json.dumps(kept, default=str, ensure_ascii=False)


def _guardian(kept: Row) -> Guardian:
    return Guardian(**{**kept, "account_id": UUID(kept["account_id"])})


def _supplement(kept: Row) -> Supplement:
    answered_at, kept_until = kept["answered_at"], kept.get("kept_until")
    return Supplement(
        items=tuple(kept["items"]),
        note=kept["note"],
        asked_by=UUID(kept["asked_by"]),
        asked_at=datetime.fromisoformat(kept["asked_at"]),
        answer=kept["answer"],
        answered_at=answered_at and datetime.fromisoformat(answered_at),
        kept_until=kept_until and datetime.fromisoformat(kept_until),
    )
