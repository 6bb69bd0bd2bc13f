"""After a restore: what is told or made again (``vssid reconcile``)."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from services.identity import credentials
from services.identity.credentials import CredentialState
from services.identity.domain import Case, CaseStatus
from services.identity.hotline import CHANNEL
from services.identity.use_cases.accounts import replace_password
from services.identity.use_cases.ports import Storage
from services.identity.use_cases.telling import (
    contact_of,
    tell_checked,
    tell_guardianship,
    tell_guardianship_ended,
    tell_sessions_ended,
    tell_verified,
)
from shared.events import identity as identity_events
from shared.events.parts import document_told, photos_told
from shared.messaging import outbox


def submission_of(case: Case) -> dict[str, Any]:
    """The data of the registration.submitted that opened this case, as far as the case knows it: neither the
    request id of the first check nor the version of the consent."""
    person = case.applicant
    return {
        "registration_id": case.registration_id,
        "declaration_number": case.declaration_number,
        "person": {
            "code": person.code,
            "personal_number": person.personal_number,
            "full_name": person.full_name,
            "birth": {"precision": person.birth_precision, "value": person.birth_value},
            "sex": person.sex,
        },
        "document": document_told(
            person.document_kind,
            person.document_number,
            child_number=person.personal_number or person.code,
        ),
        "phone": person.phone,
        "email": person.email,
        "address": dict(person.address),
        "agency_code": case.agency_code,
        **photos_told(case.photos),
        "register_check": {"request_id": UUID(int=0), "outcome": case.register.outcome.told},
        "warnings": list(case.warnings),
        "consent": {"version": "unknown", "at": case.opened_at},
        "deadline": case.deadline,
        "guardian": case.guardian and asdict(case.guardian),
        "language": case.language,
    }


def tell_case_again(storage: Storage, registration_id: UUID) -> None:
    """How the case stands, to those who lost it: checked, verified, rejected or closed, as of then.

    Raises ``LookupError`` when a verified case has lost its person, and for one that was emptied.
    """
    case = storage.case_of(registration_id)
    if case is None:
        return
    ending = storage.ending(case.id)
    if ending is None:
        tell_checked(storage, case, case.register.outcome, case.opened_at)
    elif ending.status is CaseStatus.VERIFIED:
        people = storage.people_with(case.applicant.numbers)
        if len(people) != 1:
            raise LookupError("a verified case without its person")
        tell_verified(storage, case, people[0], "desk" if ending.staff_id else "reused", ending.at)
        confirmed = case.guardian and storage.guardianship(case.guardian.account_id, people[0].id)
        if confirmed:
            tell_guardianship(storage, case, people[0], confirmed)
            former = storage.account(confirmed.account_id)
            if confirmed.end_reason is not None and former is not None:
                tell_guardianship_ended(storage, case, people[0], former, confirmed)
    elif not case.applicant.phone:
        raise LookupError("a case whose person had it erased")
    else:
        rejected = ending.status is CaseStatus.REJECTED
        event_type = identity_events.REJECTED if rejected else identity_events.CLOSED
        data = {"registration_id": registration_id, "reason": ending.reason, **contact_of(case)}
        outbox.add(
            storage.tx,
            event_type.event(subject=case.id, correlation_id=registration_id, at=ending.at, data=data),
        )


def tell_guardianship_again(
    storage: Storage, account_id: UUID, child_id: UUID, *, known_at: datetime | None
) -> bool:
    """History has lost until when somebody acts for a child: told as of just after what it knows,
    ``known_at``, and before whatever comes. One that was ended is told as lasting until then: its guardian
    has heard of it and is not told twice. False when the child has no account."""
    held, child = storage.guardianship(account_id, child_id), storage.account_of(child_id)
    people = storage.people_with([child.code]) if child else []
    if held is None or len(people) != 1:
        return False
    at = held.confirmed_at if held.end_reason is None else held.valid_until
    if known_at is not None:
        at = max(at, known_at + timedelta(microseconds=1))
    tell_guardianship(storage, None, people[0], held, at=at)
    return True


def replace_unheard(storage: Storage, credential_id: UUID, *, replacements: int, now: datetime) -> bool:
    """Nobody knows of an SMS with this first password, and its secret is not kept: another one is made, as
    for an SMS that did not arrive. False when it was replaced too often, or is no longer in force."""
    found = storage.cause_of(credential_id)
    if found is None or credentials.cause_of_replacement(found[1], replacements) is None:
        return False
    live = {credential.id for credential in storage.live_credentials(found[0])}
    replace_password(storage, credential_id, replacements, now)
    return credential_id in live


def issue_anew(storage: Storage, account_id: UUID, *, replacements: int, now: datetime) -> bool:
    """The citizen's own password was lost, and the first one opens the account again: another first password
    takes its place and goes out. False when there is none to replace."""
    issued = [
        c.id
        for c in storage.live_credentials(account_id)
        if c.state is CredentialState.ISSUED and c.channel != CHANNEL
    ]
    return bool(issued) and replace_unheard(storage, issued[0], replacements=replacements, now=now)


def tell_sessions_ended_again(
    storage: Storage, account_id: UUID, issued_before: datetime, *, now: datetime
) -> None:
    """Older tokens of the account are not to be accepted."""
    tell_sessions_ended(storage, account_id, issued_before, now)
