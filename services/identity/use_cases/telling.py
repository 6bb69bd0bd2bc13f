"""What identity tells the other services about cases, people and sessions."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from services.identity.credentials import Credential, registration_of
from services.identity.domain import Account, Case, Outcome, Person
from services.identity.guardianship import Guardianship
from services.identity.rights import PersonRequest
from services.identity.use_cases.ports import Storage
from shared.events import account as account_events
from shared.events import credentials as credentials_events
from shared.events import identity as identity_events
from shared.messaging import outbox

NEAREST_KIND = {"session_copied": "new_device"}
"""Of a notice whose kind is younger than its event: as which one a version that does not know it tells it."""


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


def tell_ended(storage: Storage, account_id: UUID, ended: Iterable[datetime], now: datetime) -> datetime:
    """Sessions of the account have ended: no access token that was issued in one of them counts any more.
    Returns the moment from which on new ones are issued."""
    moment = max([now, *ended])
    tell_sessions_ended(storage, account_id, moment, now)
    return moment


def tell_notice(
    storage: Storage,
    account: Account,
    kind: str,
    now: datetime,
    *,
    phones: Iterable[str] = (),
    emails: Iterable[str] = (),
) -> None:
    """Something happened to an account: its holder is told at each of these, once. Nobody is where there is
    none."""
    channels = [{"kind": "sms", "to": to} for to in dict.fromkeys(phones) if to]
    channels += [{"kind": "email", "to": to} for to in dict.fromkeys(emails) if to]
    if not channels:
        return
    data = {
        "account_id": account.id,
        "kind": NEAREST_KIND.get(kind, kind),
        "exact_kind": kind if kind in NEAREST_KIND else None,
        "channels": channels,
        "language": account.language,
    }
    outbox.add(
        storage.tx,
        account_events.NOTICE_DUE.event(subject=account.id, correlation_id=account.id, at=now, data=data),
    )


def tell_followed(
    storage: Storage,
    account_id: UUID,
    credential_id: UUID,
    cause: str,
    step: str,
    now: datetime,
    *,
    valid_until: datetime | None = None,
) -> None:
    """How a first password fared, for its registration's timeline. ``cause``: what it was made for."""
    registration_id = registration_of(cause)
    data = {
        "credential_id": credential_id,
        "account_id": account_id,
        "registration_id": registration_id,
        "step": step,
        "at": now,
        "valid_until": valid_until,
    }
    outbox.add(
        storage.tx,
        credentials_events.FOLLOWED.event(
            subject=account_id, correlation_id=registration_id, at=now, data=data
        ),
    )


def tell_reissued(storage: Storage, spoken: Credential, now: datetime) -> None:
    """The hotline's password, for the timeline of the registration whose first password or link it took the
    place of. Of whoever has chosen a password since no registration's timeline tells."""
    cause = storage.cause_before_voice(spoken.account_id)
    if cause is None:
        return
    registration_id = registration_of(cause)
    data = {
        "credential_id": spoken.id,
        "account_id": spoken.account_id,
        "registration_id": registration_id,
        "valid_until": spoken.valid_until,
        "at": now,
    }
    outbox.add(
        storage.tx,
        credentials_events.REISSUED.event(
            subject=spoken.account_id, correlation_id=registration_id, at=now, data=data
        ),
    )


def tell_contact_changed(
    storage: Storage, account: Account, *, phone: str, email: str, now: datetime
) -> None:
    """The holder is told at the old and at the new contact."""
    phones, emails = (account.phone, phone), (account.email, email)
    tell_notice(storage, account, "contact_changed", now, phones=phones, emails=emails)


def tell_answer(storage: Storage, account: Account, request: PersonRequest, now: datetime) -> None:
    """What came of a request about the own data, by SMS and e-mail."""
    data = {
        "account_id": account.id,
        "request_kind": request.kind.value,
        "outcome": request.state.value,
        "answer": request.answer,
        "channels": account.channels,
        "language": account.language,
    }
    outbox.add(
        storage.tx,
        account_events.REQUEST_ANSWERED.event(
            subject=account.id, correlation_id=account.id, at=now, data=data
        ),
    )


def tell_guardianship(
    storage: Storage,
    case: Case | None,
    child: Person,
    confirmed: Guardianship,
    *,
    at: datetime | None = None,
) -> None:
    """identity.guardianship_confirmed, as of then, by this case; or without one as of a later moment, from
    which on something about it is otherwise."""
    guardian = storage.account(confirmed.account_id)
    if guardian is None:
        raise LookupError("a guardian without an account")
    data = {
        "person_id": guardian.person_id,
        "child_person_id": child.id,
        "codes": codes_of(child),
        "valid_until": confirmed.valid_until,
        "account_id": confirmed.account_id,
    }
    outbox.add(
        storage.tx,
        identity_events.GUARDIANSHIP_CONFIRMED.event(
            subject=child.id,
            correlation_id=case.registration_id if case else child.id,
            at=at or confirmed.confirmed_at,
            data=data,
            traceparent=case.traceparent if case else None,
        ),
    )


def tell_guardianship_ended(
    storage: Storage, case: Case, child: Person, former: Account, ended: Guardianship
) -> None:
    """identity.guardianship_ended, as of then: history shows no more, and who was the guardian is told."""
    data = {
        "account_id": former.id,
        "child_person_id": child.id,
        "codes": codes_of(child),
        "ended_at": ended.valid_until,
        "reason": ended.end_reason,
        "channels": former.channels,
        "language": former.language,
    }
    outbox.add(
        storage.tx,
        identity_events.GUARDIANSHIP_ENDED.event(
            subject=child.id,
            correlation_id=case.registration_id,
            at=ended.valid_until,
            data=data,
        ),
    )


def codes_of(child: Person) -> list[str]:
    """All numbers that stand for the child, that of its account first."""
    code = child.applicant.code
    return [code, *sorted(child.numbers.union(child.applicant.numbers) - {code})]
