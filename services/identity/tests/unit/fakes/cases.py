"""Cases, and what the register said of their people."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from services.identity.domain import Case, CaseStatus, Ending, RegisterAnswer, RegisterCheck
from services.identity.tests.unit.fakes.tables import FakeTables
from services.identity.use_cases import Position


class FakeCases(FakeTables):
    def cases_with(self, numbers: Collection[str], *statuses: CaseStatus) -> list[Case]:
        found = [
            case
            for case in self.all_cases.values()
            if case.status in statuses and set(numbers) & set(case.search_text.split())
        ]
        return sorted(found, key=lambda case: (case.opened_at, case.id))

    def add_register_check(self, check: RegisterCheck) -> None:
        self.checks.append((check, None))

    def answer_register_check(self, request_id: UUID, answer: RegisterAnswer, at: datetime) -> None:
        self.checks = [
            (check, answer if check.request_id == request_id and known is None else known)
            for check, known in self.checks
        ]

    def register_answer(self, request_id: UUID, registration_id: UUID) -> RegisterAnswer | None:
        for check, answer in reversed(self.checks):
            if (check.request_id, check.registration_id) == (request_id, registration_id) and answer:
                return answer
        return None

    def lock_registration(self, registration_id: UUID) -> None:
        pass

    def add_case(self, case: Case) -> bool:
        if self.case_of(case.registration_id):
            return False
        self.all_cases[case.id] = case
        return True

    def case(self, case_id: UUID, *, to_change: bool = False) -> Case | None:
        return self.all_cases.get(case_id)

    def save_case(self, case: Case) -> None:
        if self.all_cases[case.id].status is CaseStatus.WAITING:
            self.all_cases[case.id] = case

    def case_of(self, registration_id: UUID, *, to_change: bool = False) -> Case | None:
        return next((c for c in self.all_cases.values() if c.registration_id == registration_id), None)

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
        others = words if or_words is None else or_words
        found = [
            case
            for case in self.all_cases.values()
            if case.agency_code == agency_code
            and case.status is status
            and any(set(some) <= set(case.search_text.split()) for some in (words, others))
            and (after is None or (case.opened_at, case.id) > after)
        ]
        return sorted(found, key=lambda case: (case.opened_at, case.id))[:limit]

    def note_register_answer(self, case_id: UUID, answer: RegisterAnswer) -> None:
        self.all_cases[case_id] = replace(self.all_cases[case_id], register=answer)

    def end_case(self, case_id: UUID, ending: Ending) -> bool:
        case = self.all_cases.get(case_id)
        if case is None or case.status is not CaseStatus.WAITING:
            return False
        self.all_cases[case_id] = replace(case, status=ending.status)
        self.endings[case_id] = ending
        return True

    def ending(self, case_id: UUID) -> Ending | None:
        return self.endings.get(case_id)

    def add_close_request(self, registration_id: UUID, reason: str, at: datetime) -> None:
        self.close_requests.setdefault(registration_id, reason)

    def close_request(self, registration_id: UUID) -> str | None:
        return self.close_requests.get(registration_id)
