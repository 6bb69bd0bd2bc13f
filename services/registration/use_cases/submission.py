"""Submitting, and what the desk asked for since."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from services.registration import claims
from services.registration.address import in_words
from services.registration.claims import Claim
from services.registration.declaration import Declaration
from services.registration.domain import Registration
from services.registration.refusals import (
    MISSING,
    ConsentRequired,
    DeclarationEmptied,
    StepOutOfOrder,
)
from services.registration.submission import (
    ConsentGiven,
    ConsentText,
    Names,
    Submission,
    declaration_number,
    visit_deadline,
)
from services.registration.use_cases.form import see_that_it_is_offered
from services.registration.use_cases.holding import Key, hold
from services.registration.use_cases.ports import Storage
from shared.events import registration as events
from shared.events.parts import document_told, photos_told
from shared.messaging import outbox
from shared.messaging.outbox import Due
from shared.refusals import FieldProblem

VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")
REMINDERS_DAYS_BEFORE = (7, 1)
EXPIRY_JOB, REMINDER_JOB = "pass_deadline", "remind"


def submit(
    storage: Storage,
    key: Key,
    *,
    consent_version: str,
    in_force: Mapping[str, ConsentText],
    visit_deadline_days: int,
    now: datetime,
) -> Registration:
    """The declaration is submitted, phone and code are claimed. Done before: the same answer, nothing again.

    ``in_force`` is the text that has to be agreed to, by language.
    Raises ``StepOutOfOrder`` naming what is missing, ``PhoneTaken``, ``CodeTaken``, ``ConsentRequired``.
    """
    draft = hold(storage, key, to_change=True)
    if draft.submission is not None:
        return draft
    draft.in_draft(*MISSING)
    text = in_force[draft.language]
    if consent_version != text.version:
        vi, en = f"Phiên bản hiện hành: {text.version}.", f"In force: {text.version}."
        raise ConsentRequired(FieldProblem("consent_version", vi, en))
    declaration = draft.declaration
    assert declaration is not None  # in_draft made sure of it
    see_that_it_is_offered(storage, draft.agency_code or "", now.astimezone(VIETNAM).date())
    claims.claim(storage, claim_of(draft, declaration))
    number = declaration_number(storage.next_declaration(), now.astimezone(VIETNAM).year)
    deadline = visit_deadline(now, visit_deadline_days)
    agreed_to = ConsentGiven(text.language, text.sha256)
    names = names_of(storage, draft, declaration, now.astimezone(VIETNAM).date())
    submitted = draft.submitted(Submission(number, now, deadline, consent_version, agreed_to, names))
    storage.save(submitted)
    outbox.add(
        storage.tx,
        events.SUBMITTED.event(
            subject=draft.id,
            correlation_id=draft.id,
            at=now,
            data=submission_data(storage, submitted, declaration),
        ),
    )
    visit_falls_due(storage, submitted, deadline, now)
    return submitted


def claim_of(registration: Registration, declaration: Declaration) -> Claim:
    """What an application holds; a child's phone is its guardian's, and not held."""
    phone = declaration.phone if registration.guardian is None else ""
    return Claim(registration.id, phone, frozenset(declaration.numbers))


def visit_falls_due(storage: Storage, registration: Registration, deadline: datetime, now: datetime) -> None:
    """The expiry and its reminders. A child makes no visit: its case waits for the officer."""
    if registration.guardian is not None:
        return
    outbox.add(storage.tx, Due(EXPIRY_JOB, key=str(registration.id), at=max(deadline, now)))
    for days in REMINDERS_DAYS_BEFORE:
        reminded_at = deadline - timedelta(days=days)
        if reminded_at > now:
            outbox.add(storage.tx, Due(REMINDER_JOB, key=f"{registration.id} {days}", at=reminded_at))


def names_of(storage: Storage, registration: Registration, declaration: Declaration, on: date) -> Names:
    """What agency and address are called on that day."""
    agency = storage.agency(registration.agency_code or "")
    named = agency.display_name if agency else registration.agency_code or ""
    words = in_words(declaration.address, storage, on)
    return Names(named, words["text"] or "", words["former_text"])


def read_submitted(storage: Storage, key: Key) -> Registration:
    """A declaration that was submitted, with its names. Raises ``StepOutOfOrder`` for a draft, and
    ``DeclarationEmptied`` once it is gone."""
    held = hold(storage, key)
    if held.is_emptied:
        raise DeclarationEmptied()
    if held.submission is None or held.declaration is None:
        raise StepOutOfOrder(status=held.status.value)
    if held.submission.names is not None:
        return held
    names = names_of(storage, held, held.declaration, held.submission.at.astimezone(VIETNAM).date())
    return replace(held, submission=replace(held.submission, names=names))


def submission_data(storage: Storage, registration: Registration, declaration: Declaration) -> dict[str, Any]:
    """The body of registration.submitted.v1."""
    submission, check = registration.submission, registration.check
    assert submission is not None  # both are there once submitted
    assert check is not None
    return {
        "registration_id": registration.id,
        "declaration_number": submission.declaration_number,
        "person": {
            "code": declaration.code,
            "personal_number": declaration.personal_number,
            "full_name": declaration.full_name,
            "birth": declaration.birth,
            "sex": declaration.sex,
        },
        "document": document_told(
            declaration.document.kind,
            declaration.document.number,
            child_number=declaration.personal_number or declaration.code,
        ),
        "phone": declaration.phone,
        "email": registration.email,
        "address": asdict(declaration.address)
        | in_words(declaration.address, storage, submission.at.astimezone(VIETNAM).date()),
        "agency_code": registration.agency_code,
        **photos_told(registration.photos_kept),
        "register_check": check,
        "warnings": registration.warnings,
        "consent": {"version": submission.consent_version, "at": submission.at},
        "deadline": submission.deadline,
        "guardian": registration.guardian,
        "language": registration.language,
    }


def send_supplement(storage: Storage, key: Key, *, answer: str, now: datetime) -> Registration:
    """What the officer asked for goes to the case, with every photo there is by now. Again: nothing.

    Raises ``StepOutOfOrder`` naming what is missing.
    """
    before = hold(storage, key, to_change=True)
    after = before.supplemented(answer, now)
    if after == before:
        return after
    storage.save(after)
    data = {"registration_id": after.id, **photos_told(after.photos_kept), "note": answer or None}
    outbox.add(
        storage.tx,
        events.SUPPLEMENTED.event(subject=after.id, correlation_id=after.id, at=now, data=data),
    )
    return after
