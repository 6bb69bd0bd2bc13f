"""Cases: opened by an application, closed on request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from services.identity import domain
from services.identity.domain import (
    Applicant,
    Case,
    CaseStatus,
    Ending,
    Guardian,
    Hold,
    Outcome,
    Person,
    Photo,
    RegisterAnswer,
)
from services.identity.use_cases.ports import Storage
from services.identity.use_cases.register import CHECK_REGISTER
from services.identity.use_cases.telling import contact_of, tell_checked, tell_verified
from shared.events import identity as identity_events
from shared.events.parts import BIRTH_CERTIFICATE, document_heard, photos_heard
from shared.messaging import outbox


def open_case(
    storage: Storage,
    submitted: Mapping[str, Any],
    *,
    case_id: UUID,
    at: datetime,
    traceparent: str | None = None,
) -> None:
    """An application becomes a case at the chosen agency's desk.

    The register's answer is the one we wrote down ourselves; an application without one is checked by a
    job. A request to close that came first closes it at once. Who was verified before and comes back with
    the same contact is not sent to the desk again, unless that contact is in doubt.
    """
    registration_id: UUID = submitted["registration_id"]
    storage.lock_registration(registration_id)
    answer = storage.register_answer(submitted["register_check"]["request_id"], registration_id)
    case = _case_of(submitted, case_id, answer or RegisterAnswer(Outcome.UNAVAILABLE), at, traceparent)
    if not storage.add_case(case):
        return
    tell_checked(storage, case, case.register.outcome, at)
    reason = storage.close_request(registration_id)
    if reason is not None:
        close(storage, case, reason, at)
        return
    known = _known_person(storage, case, at)
    if known is not None:
        storage.end_case(case.id, Ending(CaseStatus.VERIFIED, at))
        tell_verified(storage, case, known, "reused", at)
    elif not case.register.outcome.answered and can_be_asked(case.applicant):
        outbox.add(storage.tx, outbox.Due(CHECK_REGISTER, str(case.id), at, {"tries": 0}))


def can_be_asked(person: Applicant) -> bool:
    """Whether the register knows people by the numbers that were declared: of a child only by the personal
    number."""
    return person.document_kind != BIRTH_CERTIFICATE or person.personal_number is not None


def close_case(storage: Storage, registration_id: UUID, reason: str, now: datetime) -> None:
    """Registration asks for an end (cancelled, deadline passed): given if the case has none yet. One that
    has ended keeps its ending; one that is not here yet will be closed when it comes."""
    storage.lock_registration(registration_id)
    storage.add_close_request(registration_id, reason, now)
    case = storage.case_of(registration_id)
    if case is not None:
        close(storage, case, reason, now)


def resume_case(
    storage: Storage, supplemented: Mapping[str, Any], *, hold_hours: int, now: datetime, at: datetime
) -> None:
    """What the citizen was asked for has come, sent ``at``: the case goes back to the officer who asked,
    before others, for ``hold_hours``. Events keep no order: each brings all photos there are then, and those
    sent last stay. A case that has ended, or is not here, keeps what it has."""
    case = storage.case_of(supplemented["registration_id"], to_change=True)
    if case is None or case.status is not CaseStatus.WAITING or case.supplement is None:
        return
    photos, photos_at = case.photos, case.photos_at
    if photos_at is None or at > photos_at:
        photos = tuple(Photo(p["kind"], p["ref"], p["sha256"]) for p in photos_heard(supplemented))
        photos_at = at
    supplement = case.supplement.answered(supplemented["note"], at)
    hold = case.hold
    if supplement.answered_at == at and case.stage == domain.SUPPLEMENT_REQUESTED:
        hold = Hold(supplement.asked_by, now + timedelta(hours=hold_hours))
        supplement = replace(supplement, kept_until=hold.until)
    storage.save_case(replace(case, photos=photos, photos_at=photos_at, supplement=supplement, hold=hold))


def close(storage: Storage, case: Case, reason: str, now: datetime, *, staff_id: UUID | None = None) -> None:
    """Closed on request, or by a member of staff, unless it has another ending."""
    if storage.end_case(case.id, Ending(CaseStatus.CLOSED, now, staff_id, reason)):
        data = {"registration_id": case.registration_id, "reason": reason, **contact_of(case)}
        outbox.add(
            storage.tx,
            identity_events.CLOSED.event(
                subject=case.id,
                correlation_id=case.registration_id,
                at=now,
                data=data,
                traceparent=case.traceparent,
            ),
        )


def _case_of(
    submitted: Mapping[str, Any],
    case_id: UUID,
    answer: RegisterAnswer,
    at: datetime,
    traceparent: str | None,
) -> Case:
    person, guardian = submitted["person"], submitted["guardian"]
    document_kind, document_number = document_heard(submitted)
    applicant = Applicant(
        code=person["code"],
        personal_number=person["personal_number"],
        full_name=person["full_name"],
        birth_precision=person["birth"]["precision"],
        birth_value=person["birth"]["value"],
        sex=person["sex"],
        document_kind=document_kind,
        document_number=document_number,
        phone=submitted["phone"],
        email=submitted["email"],
        address=submitted["address"],
    )
    return Case(
        id=case_id,
        registration_id=submitted["registration_id"],
        declaration_number=submitted["declaration_number"],
        agency_code=submitted["agency_code"],
        applicant=applicant,
        photos=tuple(Photo(p["kind"], p["ref"], p["sha256"]) for p in photos_heard(submitted)),
        register=answer,
        warnings=tuple(submitted["warnings"]),
        deadline=submitted["deadline"],
        language=submitted["language"],
        opened_at=at,
        traceparent=traceparent,
        guardian=guardian and Guardian(**guardian),
    )


def _known_person(storage: Storage, case: Case, now: datetime) -> Person | None:
    """Who was verified before and comes back with the same contact, a child with a confirmed guardian. Nobody
    while that contact is in doubt: a password would go to a phone that may be in other hands."""
    people = storage.people_with(case.applicant.numbers)
    account = storage.account_of(people[0].id) if len(people) == 1 else None
    applicant = case.applicant
    if account is not None and case.guardian is not None:
        confirmed = storage.guardianship(case.guardian.account_id, people[0].id)
        guardian = storage.account(case.guardian.account_id)
        if confirmed is None or guardian is None or confirmed.end_reason or not confirmed.lasts(now):
            return None
        if guardian.is_reached_at(applicant.phone, applicant.email):  # the child is, perhaps, at another's
            applicant = replace(applicant, phone=account.phone, email=account.email)
    if account is None or not domain.is_known_contact(account, people[0], applicant):
        return None
    return None if storage.is_contact_in_doubt(account.id, now) else people[0]
