"""What identity tells the other services about cases, people and sessions."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from services.identity.domain import (
    Case,
    Outcome,
    Person,
)
from services.identity.use_cases.ports import Storage
from shared.events import account as account_events
from shared.events import identity as identity_events
from shared.messaging import outbox


def tell_checked(storage: Storage, case: Case, outcome: Outcome, now: datetime) -> None:
    data = {"registration_id": case.registration_id, "outcome": outcome.told, "at": now}
    outbox.add(
        storage.tx,
        identity_events.CHECKED.event(
            subject=case.id,
            correlation_id=case.registration_id,
            at=now,
            data=data,
            traceparent=case.traceparent,
        ),
    )


def tell_verified(storage: Storage, case: Case, person: Person, method: str, now: datetime) -> None:
    data = {
        "registration_id": case.registration_id,
        "person_id": person.id,
        "code": case.applicant.code,
        "method": method,
        "at": now,
    }
    outbox.add(
        storage.tx,
        identity_events.VERIFIED.event(
            subject=person.id,
            correlation_id=case.registration_id,
            at=now,
            data=data,
            traceparent=case.traceparent,
        ),
    )


def contact_of(case: Case) -> dict[str, str]:
    return {"phone": case.applicant.phone, "email": case.applicant.email, "language": case.language}


def tell_sessions_ended(storage: Storage, account_id: UUID, issued_before: datetime, now: datetime) -> None:
    data = {"account_id": account_id, "issued_before": issued_before}
    outbox.add(
        storage.tx,
        account_events.SESSIONS_ENDED.event(subject=account_id, correlation_id=account_id, at=now, data=data),
    )
