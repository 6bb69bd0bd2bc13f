"""What people ask about their own data, and what is held of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from services.identity.domain import Case, CaseStatus
from services.identity.rights import PersonRequest, RequestKind, RequestState
from services.identity.tests.unit.fakes.tables import FakeTables


class FakeRights(FakeTables):
    def add_request(self, request: PersonRequest) -> None:
        self.requests[request.id] = request

    def answer_request(self, request: PersonRequest) -> None:
        if self.requests[request.id].state is RequestState.OPEN:
            self.requests[request.id] = request

    def request(self, request_id: UUID) -> PersonRequest | None:
        return self.requests.get(request_id)

    def requests_of(self, account_id: UUID, limit: int) -> list[PersonRequest]:
        found = [request for request in self.requests.values() if request.account_id == account_id]
        return sorted(found, key=lambda request: (request.asked_at, request.id), reverse=True)[:limit]

    def exports_since(self, account_id: UUID, since: datetime) -> list[datetime]:
        exports = [r for r in self.requests_of(account_id, 1000) if r.kind is RequestKind.EXPORT]
        return [export.asked_at for export in exports if export.asked_at > since]

    def open_request(self, account_id: UUID, kind: RequestKind) -> PersonRequest | None:
        for request in self.requests_of(account_id, 100):
            if (request.state, request.kind) == (RequestState.OPEN, kind):
                return request
        return None

    def cases_registered_by(self, account_id: UUID, *statuses: CaseStatus) -> list[Case]:
        found = [
            case
            for case in self.all_cases.values()
            if case.status in statuses
            and case.guardian is not None
            and case.guardian.account_id == account_id
        ]
        return sorted(found, key=lambda case: (case.opened_at, case.id))

    def save_emptied(self, case: Case, at: datetime) -> None:
        self.all_cases[case.id] = case
        ending = self.endings[case.id]
        if case.status is CaseStatus.REJECTED:
            self.endings[case.id] = replace(ending, reason="")

    def open_requests(self, agency_code: str, limit: int) -> list[PersonRequest]:
        found = [
            request
            for request in self.requests.values()
            if (request.agency_code, request.state, request.kind)
            == (agency_code, RequestState.OPEN, RequestKind.CORRECTION)
        ]
        return sorted(found, key=lambda request: (request.due_at, request.id))[:limit]

    def cases_of_account(self, account_id: UUID) -> list[Case]:
        ids = {UUID(cause.split(" ")[0]) for owner, cause in self.causes if owner == account_id}
        found = [case for case in self.all_cases.values() if case.registration_id in ids]
        return sorted(found, key=lambda case: (case.opened_at, case.id), reverse=True)

    def log_ins(self, account_id: UUID, limit: int) -> list[tuple[datetime, datetime | None]]:
        found = [
            (session.started_at, session.ended_at)
            for session in self.sessions.values()
            if session.account.id == account_id
        ]
        return sorted(found, key=lambda times: times[0], reverse=True)[:limit]

    def register_questions(self, registration_ids: list[UUID], limit: int) -> list[dict[str, Any]]:
        return [
            {"purpose": check.purpose, "asked_at": check.at, "answered": answer is not None}
            for check, answer in reversed(self.checks)
            if check.registration_id in registration_ids
        ][:limit]
