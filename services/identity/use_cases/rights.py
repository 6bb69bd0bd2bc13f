"""What people ask about their own data: answered at once, or by an officer of their agency."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from services.identity import domain, refusals, rights
from services.identity.credentials import Claims, Credential
from services.identity.domain import Account, AuditEntry, Case, CaseStatus, Officer, Person
from services.identity.rights import AtTheDesk, Held, PersonRequest, RequestKind, RequestState
from services.identity.use_cases.accounts import held_with_person
from services.identity.use_cases.coming_of_age import move_coming_of_age
from services.identity.use_cases.erasure import ask_erasure
from services.identity.use_cases.everywhere import end_everywhere
from services.identity.use_cases.log_in import citizen_session
from services.identity.use_cases.ports import Storage
from services.identity.use_cases.telling import tell_answer

REQUESTS_SHOWN = 50
EXPORTS_A_DAY = 5
DAY = timedelta(days=1)
LOG_INS_SHOWN = 200
QUESTIONS_SHOWN = 200
RESETS_SHOWN = 50


def citizen(storage: Storage, claims: Claims) -> Account:
    """Who asks. Raises ``TokenInvalid``, and ``PasswordChangeRequired`` for the first password's session."""
    return citizen_session(storage, claims).account


def export(
    storage: Storage, account: Account, *, request_id: UUID, now: datetime, a_day: int = EXPORTS_A_DAY
) -> Held:
    """All of it. That it was asked for and handed over is recorded, and is the first of the requests. Raises
    ``ExportsTooMany``."""
    storage.lock_account(account.id)
    earlier = storage.exports_since(account.id, now - DAY)
    if len(earlier) >= a_day:
        wait = earlier[a_day - 1] + DAY - now
        raise rights.ExportsTooMany(retry_after_seconds=max(1, math.ceil(wait.total_seconds())))
    cases = storage.cases_of_account(account.id)
    _answer_at_once(storage, account, cases, RequestKind.EXPORT, request_id, now)
    questions = storage.register_questions([case.registration_id for case in cases], QUESTIONS_SHOWN)
    return Held(
        account,
        _person_of(storage, account),
        cases,
        storage.log_ins(account.id, LOG_INS_SHOWN),
        questions,
        storage.email_resets_of(account.id, RESETS_SHOWN),
        storage.requests_of(account.id, REQUESTS_SHOWN),
        storage.children_of(account.id, now),
        storage.ended_guardianships_of(account.id, now),
    )


def ask_correction(
    storage: Storage, account: Account, wanted: Mapping[str, str], *, request_id: UUID, now: datetime
) -> PersonRequest:
    """For an officer of the agency that verified the person. The same again is the same request.

    Raises ``RequestInvalid``, ``RequestPending``.
    """
    storage.lock_account(account.id)
    rights.corrected(_person_of(storage, account).applicant, wanted, now.astimezone(domain.VIETNAM).date())
    pending = storage.open_request(account.id, RequestKind.CORRECTION)
    if pending is not None:
        if pending.wanted == wanted:
            return pending
        raise rights.RequestPending(due_at=pending.due_at.isoformat())
    agency_code = _agency_of(storage.cases_of_account(account.id))
    asked = PersonRequest(
        request_id, account.id, agency_code, RequestKind.CORRECTION, now, rights.due_at(now), dict(wanted)
    )
    storage.add_request(asked)
    return asked


def withdraw_consent(
    storage: Storage, claims: Claims, used: Credential, *, request_id: UUID, erasure_id: UUID, now: datetime
) -> PersonRequest:
    """The account is closed: no password and no session of it is left, and what no duty keeps is erased, by
    a request of its own. ``used`` is the password that was given. Whoever registers again consents anew, and
    gets a new password.

    Raises ``TokenInvalid`` when the password has ended in the meantime.
    """
    account = citizen(storage, claims)
    storage.lock_account(account.id)
    live = [credential.id for credential in storage.live_credentials(account.id)]
    if used.id not in live:
        raise refusals.TokenInvalid
    cases = storage.cases_of_account(account.id)
    storage.end_credentials(live, now)
    end_everywhere(storage, account.id, now)
    ask_erasure(storage, account, request_id=erasure_id, now=now)
    return _answer_at_once(storage, account, cases, RequestKind.WITHDRAWAL, request_id, now)


def list_own_requests(storage: Storage, account: Account) -> list[PersonRequest]:
    """What the holder has asked, newest first."""
    return storage.requests_of(account.id, REQUESTS_SHOWN)


def list_open_requests(storage: Storage, officer: Officer, now: datetime) -> list[AtTheDesk]:
    """Those of the officer's own agency, the first due first."""
    found = []
    for request in storage.open_requests(officer.agency_code, REQUESTS_SHOWN):
        account = storage.account(request.account_id)
        assert account is not None
        found.append(AtTheDesk(request, account, _person_of(storage, account)))
    seen = {"requests": [str(item.request.id) for item in found]}
    storage.add_audit(AuditEntry(now, officer.id, "requests_listed", details=seen))
    return found


def answer_request(
    storage: Storage,
    officer: Officer,
    request_id: UUID,
    *,
    granted: bool,
    answer: str,
    papers_checked: bool,
    now: datetime,
) -> PersonRequest:
    """A correction is made, or refused with a reason; the person is told by SMS and e-mail. Again: the same
    answer. Raises ``PersonRequestUnknown``, ``PapersNotChecked``, ``AnswerMissing``, ``RequestAnswered``."""
    request = storage.request(request_id)
    if (
        request is None
        or request.kind is not RequestKind.CORRECTION
        or request.agency_code != officer.agency_code
    ):
        raise rights.PersonRequestUnknown
    state = RequestState.GRANTED if granted else RequestState.REFUSED
    if request.state is state:
        return request
    account = storage.account(request.account_id)
    assert account is not None
    if granted and papers_checked is not True:
        raise refusals.PapersNotChecked
    told = rights.GRANTED_CORRECTION[account.language] if granted else rights.answer_text(answer)
    answered = request.answered(state, told, now, officer)
    if granted:
        _correct(storage, request, now)
    storage.answer_request(answered)
    act = "correction_made" if granted else "correction_refused"
    storage.add_audit(AuditEntry(now, officer.id, act, details={"request": str(request.id)}))
    tell_answer(storage, account, answered, now)
    return answered


def _correct(storage: Storage, request: PersonRequest, now: datetime) -> None:
    account, person = held_with_person(storage, request.account_id)
    try:
        applicant = rights.corrected(
            person.applicant, request.wanted, request.asked_at.astimezone(domain.VIETNAM).date()
        )
    except refusals.RequestInvalid:  # the desk has seen to it meanwhile
        return
    corrected = replace(person, applicant=applicant)
    storage.save_person(corrected)
    move_coming_of_age(storage, corrected, now)
    storage.save_account(
        replace(account, full_name=applicant.full_name, birth_value=applicant.birth_value), now
    )


def _person_of(storage: Storage, account: Account) -> Person:
    (person,) = storage.people_with([account.code])
    return person


def _agency_of(cases: list[Case]) -> str:
    """Where the person was verified last."""
    return next((case.agency_code for case in cases if case.status is CaseStatus.VERIFIED), "")


def _answer_at_once(
    storage: Storage,
    account: Account,
    cases: list[Case],
    kind: RequestKind,
    request_id: UUID,
    now: datetime,
) -> PersonRequest:
    asked = PersonRequest(request_id, account.id, _agency_of(cases), kind, now, rights.due_at(now))
    answered = asked.answered(RequestState.GRANTED, rights.ANSWERS[kind][account.language], now)
    storage.add_request(answered)
    if kind is not RequestKind.EXPORT:
        tell_answer(storage, account, answered, now)
    return answered
