"""What identity does, one function per intention. Each runs inside the caller's transaction."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from services.identity import domain
from services.identity.domain import (
    Account,
    Applicant,
    AuditEntry,
    Case,
    CaseStatus,
    Claims,
    Credential,
    CredentialState,
    Ending,
    Officer,
    Outcome,
    Person,
    Photo,
    Question,
    RegisterAnswer,
    RegisterCheck,
    Session,
    StaffAccount,
)
from shared.events import account as account_events
from shared.events import credentials as credentials_events
from shared.events import identity as identity_events
from shared.messaging import outbox
from shared.refusals import FieldProblem

Position = tuple[datetime, UUID]
"""The last case of a page: when it was opened, and its id."""

PAGE_SIZE = 50
CHECK_REGISTER = "check_register"
ISSUE_CREDENTIAL = "issue_credential"
DELIVERED, FAILED = "delivered", "failed"
LONGEST_BACK_OFF = 16
"""The wait before the register is asked again doubles up to this many times the setting."""


class Storage(Protocol):
    """Identity's tables, inside one transaction."""

    @property
    def tx(self) -> outbox.Transaction: ...

    def add_register_check(self, check: RegisterCheck) -> None: ...
    def answer_register_check(self, request_id: UUID, answer: RegisterAnswer, at: datetime) -> None: ...
    def register_answer(self, request_id: UUID, registration_id: UUID) -> RegisterAnswer | None: ...

    def lock_registration(self, registration_id: UUID) -> None: ...
    def add_case(self, case: Case) -> bool: ...
    def case(self, case_id: UUID) -> Case | None: ...
    def case_of(self, registration_id: UUID) -> Case | None: ...
    def cases(
        self, agency_code: str, status: CaseStatus, words: str, after: Position | None, limit: int
    ) -> list[Case]: ...
    def note_register_answer(self, case_id: UUID, answer: RegisterAnswer) -> None: ...
    def end_case(self, case_id: UUID, ending: Ending) -> bool: ...
    def ending(self, case_id: UUID) -> Ending | None: ...
    def add_close_request(self, registration_id: UUID, reason: str, at: datetime) -> None: ...
    def close_request(self, registration_id: UUID) -> str | None: ...

    def lock_numbers(self, numbers: Sequence[str]) -> None: ...
    def people_with(self, numbers: Sequence[str]) -> list[Person]: ...
    def save_person(self, person: Person) -> None: ...

    def save_account(self, account: Account, at: datetime) -> Account: ...
    def account(self, account_id: UUID) -> Account | None: ...
    def account_of(self, person_id: UUID) -> Account | None: ...
    def account_named(self, user: str) -> Account | None: ...
    def lock_account(self, account_id: UUID) -> None: ...

    def live_credentials(self, account_id: UUID) -> list[Credential]: ...
    def credential_for(self, account_id: UUID, cause: str) -> Credential | None: ...
    def cause_of(self, credential_id: UUID) -> tuple[UUID, str] | None: ...
    def add_credential(self, credential: Credential, cause: str, at: datetime) -> None: ...
    def end_credentials(self, credential_ids: Sequence[UUID], at: datetime) -> int: ...
    def note_delivery(self, credential_id: UUID, state: str) -> bool: ...

    def start_session(self, session: Session, credential_id: UUID) -> bool: ...
    def session(self, session_id: UUID) -> Session | None: ...
    def end_sessions(self, account_id: UUID, at: datetime) -> None: ...

    def add_staff(self, staff: StaffAccount, at: datetime) -> None: ...
    def staff_named(self, user: str) -> StaffAccount | None: ...
    def disable_staff(self, user: str) -> UUID | None: ...
    def start_staff_session(
        self, token_hash: bytes, staff_id: UUID, started_at: datetime, expires_at: datetime
    ) -> None: ...
    def officer(self, token_hash: bytes, now: datetime) -> Officer | None: ...
    def add_audit(self, entry: AuditEntry) -> None: ...


# --- the register --------------------------------------------------------------------------------


def begin_register_check(storage: Storage, check: RegisterCheck) -> None:
    """Write down who asks and what for, before anything is asked."""
    storage.add_register_check(check)


def finish_register_check(
    storage: Storage, check: RegisterCheck, answer: RegisterAnswer, now: datetime
) -> str:
    """Write down the outcome; return the little of it that may be told."""
    storage.answer_register_check(check.request_id, answer, now)
    return answer.outcome.told


def question_of(case: Case, request_id: UUID) -> Question:
    """What the register is asked about a case that is still unchecked."""
    person = case.applicant
    return Question(
        request_id,
        person.full_name,
        person.birth_value,
        person.document_kind,
        person.document_number,
        person.personal_number,
    )


def find_case_to_check(storage: Storage, case_id: UUID) -> Case | None:
    """The case, when it still waits and the register has not decided yet."""
    case = storage.case(case_id)
    if case is None or case.status is not CaseStatus.WAITING or case.register.outcome.answered:
        return None
    return case


def record_register_answer(
    storage: Storage,
    case: Case,
    check: RegisterCheck,
    answer: RegisterAnswer,
    *,
    tries: int,
    retry_seconds: int,
    now: datetime,
) -> None:
    """The late answer, onto the case and to registration; without one the check stays due, at growing
    distances. ``tries`` counts from 1."""
    storage.answer_register_check(check.request_id, answer, now)
    if answer.outcome.answered:
        storage.note_register_answer(case.id, answer)
        _tell_checked(storage, case, answer.outcome, now)
    else:
        wait = timedelta(seconds=retry_seconds * min(2 ** min(tries - 1, 10), LONGEST_BACK_OFF))
        outbox.add(storage.tx, outbox.Due(CHECK_REGISTER, str(case.id), now + wait, {"tries": tries}))


def _tell_checked(storage: Storage, case: Case, outcome: Outcome, now: datetime) -> None:
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


# --- cases: opened, closed on request ------------------------------------------------------------


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
    the same contact is not sent to the desk again.
    """
    registration_id: UUID = submitted["registration_id"]
    storage.lock_registration(registration_id)
    answer = storage.register_answer(submitted["register_check"]["request_id"], registration_id)
    case = _case_of(submitted, case_id, answer or RegisterAnswer(Outcome.UNAVAILABLE), at, traceparent)
    if not storage.add_case(case):
        return
    _tell_checked(storage, case, case.register.outcome, at)
    reason = storage.close_request(registration_id)
    if reason is not None:
        _close(storage, case, reason, at)
        return
    known = _known_person(storage, case.applicant)
    if known is not None:
        storage.end_case(case.id, Ending(CaseStatus.VERIFIED, at))
        _tell_verified(storage, case, known, "reused", at)
    elif not case.register.outcome.answered:
        outbox.add(storage.tx, outbox.Due(CHECK_REGISTER, str(case.id), at, {"tries": 0}))


def close_case(storage: Storage, registration_id: UUID, reason: str, now: datetime) -> None:
    """Registration asks for an end (cancelled, deadline passed): given if the case has none yet. One that
    has ended keeps its ending; one that is not here yet will be closed when it comes."""
    storage.lock_registration(registration_id)
    storage.add_close_request(registration_id, reason, now)
    case = storage.case_of(registration_id)
    if case is not None:
        _close(storage, case, reason, now)


def _close(storage: Storage, case: Case, reason: str, now: datetime) -> None:
    if storage.end_case(case.id, Ending(CaseStatus.CLOSED, now, reason=reason)):
        data = {"registration_id": case.registration_id, "reason": reason, **_contact(case)}
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


def _contact(case: Case) -> dict[str, str]:
    return {"phone": case.applicant.phone, "email": case.applicant.email, "language": case.language}


def _case_of(
    submitted: Mapping[str, Any],
    case_id: UUID,
    answer: RegisterAnswer,
    at: datetime,
    traceparent: str | None,
) -> Case:
    person, document = submitted["person"], submitted["document"]
    applicant = Applicant(
        code=person["code"],
        personal_number=person["personal_number"],
        full_name=person["full_name"],
        birth_precision=person["birth"]["precision"],
        birth_value=person["birth"]["value"],
        sex=person["sex"],
        document_kind=document["kind"],
        document_number=document["number"],
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
        photos=tuple(Photo(p["kind"], p["ref"], p["sha256"]) for p in submitted["photos"]),
        register=answer,
        warnings=tuple(submitted["warnings"]),
        deadline=submitted["deadline"],
        language=submitted["language"],
        opened_at=at,
        traceparent=traceparent,
    )


def _known_person(storage: Storage, applicant: Applicant) -> Person | None:
    people = storage.people_with(applicant.numbers)
    account = storage.account_of(people[0].id) if len(people) == 1 else None
    if account is not None and domain.is_known_contact(account, people[0], applicant):
        return people[0]
    return None


# --- cases: the officer --------------------------------------------------------------------------


def officer_of(storage: Storage, token_hash: bytes, now: datetime) -> Officer:
    """The active member of staff who holds this token. Raises ``TokenInvalid``."""
    officer = storage.officer(token_hash, now)
    if officer is None:
        raise domain.TokenInvalid
    return officer


@dataclass(frozen=True)
class Page:
    """Some cases, oldest first, and the cursor of the next page if there is one."""

    cases: tuple[Case, ...]
    next_cursor: str | None


def list_cases(
    storage: Storage, officer: Officer, *, status: str, words: str, cursor: str | None, now: datetime
) -> Page:
    """The cases of the officer's own agency. Raises ``RequestInvalid`` for a foreign cursor."""
    found = storage.cases(
        officer.agency_code, CaseStatus(status), domain.folded(words), _position(cursor), PAGE_SIZE + 1
    )
    cases, more = found[:PAGE_SIZE], len(found) > PAGE_SIZE
    seen = {"cases": [str(case.id) for case in cases]}
    storage.add_audit(AuditEntry(now, officer.id, "cases_listed", details=seen))
    return Page(tuple(cases), _cursor(cases[-1]) if more else None)


def _cursor(case: Case) -> str:
    return base64.urlsafe_b64encode(f"{case.opened_at.isoformat()} {case.id}".encode()).decode()


def _position(cursor: str | None) -> Position | None:
    if not cursor:
        return None
    try:
        opened_at, case_id = base64.urlsafe_b64decode(cursor.encode()).decode().split(" ")
        moment, position = datetime.fromisoformat(opened_at), UUID(case_id)
        if moment.tzinfo is not None:
            return moment, position
    except (ValueError, binascii.Error):
        pass
    raise domain.RequestInvalid(
        FieldProblem("cursor", "Dùng next_cursor của trang trước.", "Use next_cursor of the page before.")
    )


def read_case(storage: Storage, officer: Officer, case_id: UUID, now: datetime) -> Case:
    """One case of the officer's own agency; the reading is audited. Raises ``CaseUnknown``."""
    case = _own_case(storage, officer, case_id)
    storage.add_audit(AuditEntry(now, officer.id, "case_read", case.id))
    return case


def read_photo(storage: Storage, officer: Officer, case_id: UUID, kind: str, now: datetime) -> Photo:
    """Where a photo lies; the reading is audited first. Raises ``CaseUnknown``, ``PhotoUnknown``."""
    case = _own_case(storage, officer, case_id)
    photo = case.photo(kind)
    storage.add_audit(AuditEntry(now, officer.id, "photo_read", case.id, {"kind": kind}))
    return photo


def confirm_case(
    storage: Storage, officer: Officer, case_id: UUID, *, papers_checked: bool, person_id: UUID, now: datetime
) -> Case:
    """The officer saw the papers: the person is verified, once, for life. Again: the same answer.

    ``person_id`` is for somebody new. Raises ``CaseUnknown``, ``PapersNotChecked``, ``CaseAlreadyEnded``,
    ``PersonNumberTaken``.
    """
    case = _own_case(storage, officer, case_id)
    if papers_checked is not True:
        raise domain.PapersNotChecked
    ended = _end(storage, case, Ending(CaseStatus.VERIFIED, now, officer.id))
    if ended is None:
        return replace(case, status=CaseStatus.VERIFIED)
    storage.add_audit(AuditEntry(now, officer.id, "case_confirmed", case.id))
    _tell_verified(storage, ended, _remember(storage, case.applicant, person_id, now), "desk", now)
    return ended


def reject_case(storage: Storage, officer: Officer, case_id: UUID, *, reason: str, now: datetime) -> Case:
    """The officer turns the application away, with a reason for the citizen. Again: the same answer, and
    the first reason stays. Raises ``CaseUnknown``, ``ReasonMissing``, ``CaseAlreadyEnded``."""
    case = _own_case(storage, officer, case_id)
    told = domain.reason_of_rejection(reason)
    ended = _end(storage, case, Ending(CaseStatus.REJECTED, now, officer.id, told))
    if ended is None:
        return replace(case, status=CaseStatus.REJECTED)
    storage.add_audit(AuditEntry(now, officer.id, "case_rejected", case.id))
    data = {"registration_id": case.registration_id, "reason": told, **_contact(case)}
    outbox.add(
        storage.tx,
        identity_events.REJECTED.event(
            subject=case.id,
            correlation_id=case.registration_id,
            at=now,
            data=data,
            traceparent=case.traceparent,
        ),
    )
    return ended


def _own_case(storage: Storage, officer: Officer, case_id: UUID) -> Case:
    case = storage.case(case_id)
    if case is None or case.agency_code != officer.agency_code:
        raise domain.CaseUnknown
    return case


def _end(storage: Storage, case: Case, ending: Ending) -> Case | None:
    """The case with its one ending, or None when it has this very ending already."""
    if storage.end_case(case.id, ending):
        return replace(case, status=ending.status)
    current = storage.case(case.id)
    if current is not None and current.status is ending.status:
        return None
    raise domain.CaseAlreadyEnded(status=str(current.status if current else CaseStatus.CLOSED))


def _remember(storage: Storage, applicant: Applicant, person_id: UUID, now: datetime) -> Person:
    storage.lock_numbers(applicant.numbers)
    people = storage.people_with(applicant.numbers)
    if len(people) > 1:
        raise domain.PersonNumberTaken
    person = Person(people[0].id if people else person_id, applicant, now)
    storage.save_person(person)
    return person


def _tell_verified(storage: Storage, case: Case, person: Person, method: str, now: datetime) -> None:
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


# --- accounts and first passwords ----------------------------------------------------------------


def open_account(storage: Storage, verified: Mapping[str, Any], *, account_id: UUID, now: datetime) -> None:
    """A verified person gets an account, or the account its new contact, and a first password falls due.

    ``account_id`` is for somebody new. The password is made by a job: a hash has no place in a listener.
    """
    case = storage.case_of(verified["registration_id"])
    if case is None:
        raise LookupError("identity.verified without its case")
    known = storage.account_of(verified["person_id"])
    if known is not None and storage.credential_for(known.id, str(case.registration_id)) is not None:
        return  # told again: the contact may have changed since
    person = case.applicant
    account = storage.save_account(
        Account(
            id=account_id,
            person_id=verified["person_id"],
            code=verified["code"],
            full_name=person.full_name,
            birth_value=person.birth_value,
            phone=person.phone,
            email=person.email,
            language=case.language,
        ),
        now,
    )
    _issue_soon(storage, account.id, str(case.registration_id), now)


def _issue_soon(storage: Storage, account_id: UUID, cause: str, now: datetime) -> None:
    outbox.add(storage.tx, outbox.Due(ISSUE_CREDENTIAL, cause, now, {"account_id": str(account_id)}))


@dataclass(frozen=True)
class FirstPassword:
    """A password that was just made: what is stored of it, and the sealed text that travels."""

    credential_id: UUID
    password_hash: str
    sealed_secret: str


def issue_credential(
    storage: Storage,
    account_id: UUID,
    cause: str,
    made: FirstPassword,
    *,
    now: datetime,
    valid_hours: int,
) -> None:
    """The first password exists from here on. One that was issued earlier and never used ends; the one in
    use lives until the new one is first used. A cause (``domain.cause_of_replacement``) has one, however
    often this runs."""
    storage.lock_account(account_id)
    account = storage.account(account_id)
    if account is None:
        raise LookupError("a credential for an account that does not exist")
    if storage.credential_for(account_id, cause) is not None:
        return
    registration_id = domain.registration_of(cause)
    unused = [c.id for c in storage.live_credentials(account_id) if c.state is CredentialState.ISSUED]
    storage.end_credentials(unused, now)
    valid_until = now + timedelta(hours=valid_hours)
    issued = Credential(
        made.credential_id, account_id, CredentialState.ISSUED, made.password_hash, valid_until
    )
    storage.add_credential(issued, cause, now)
    data = {
        "credential_id": issued.id,
        "account_id": account.id,
        "registration_id": registration_id,
        "code": account.code,
        "reason": "registration",
        "channels": [{"kind": "sms", "to": account.phone}, {"kind": "email", "to": account.email}],
        "sealed_secret": made.sealed_secret,
        "valid_until": valid_until,
        "language": account.language,
    }
    outbox.add(
        storage.tx,
        credentials_events.ISSUED.event(
            subject=account.id, correlation_id=registration_id, at=now, data=data
        ),
    )


def note_delivery(
    storage: Storage, message: Mapping[str, Any], state: str, *, replacements: int, now: datetime
) -> None:
    """Keep how far the SMS with a password came. Late or early, a final state is never undone. A password
    that did not arrive, or of which nobody knows, is replaced, ``replacements`` times at the most."""
    credential_id = message["credential_id"]
    if credential_id is None or message["channel"] != "sms":
        return
    if storage.note_delivery(credential_id, state) and state == FAILED:
        _replace(storage, credential_id, replacements, now)


def _replace(storage: Storage, credential_id: UUID, at_most: int, now: datetime) -> None:
    found = storage.cause_of(credential_id)
    if found is None:
        return
    account_id, cause = found
    again = domain.cause_of_replacement(cause, at_most)
    if again is not None and storage.end_credentials([credential_id], now):
        _issue_soon(storage, account_id, again, now)


# --- after a restore: what is told or made again (``vssid reconcile``) --------------------------------


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
        "document": {"kind": person.document_kind, "number": person.document_number},
        "phone": person.phone,
        "email": person.email,
        "address": dict(person.address),
        "agency_code": case.agency_code,
        "photos": [{"kind": p.kind, "ref": p.ref, "sha256": p.sha256} for p in case.photos],
        "register_check": {"request_id": UUID(int=0), "outcome": case.register.outcome.told},
        "warnings": list(case.warnings),
        "consent": {"version": "unknown", "at": case.opened_at},
        "deadline": case.deadline,
        "guardian": None,
        "language": case.language,
    }


def tell_case_again(storage: Storage, registration_id: UUID) -> None:
    """How the case stands, to those who lost it: checked, verified, rejected or closed, as of then.

    Raises ``LookupError`` when a verified case has lost its person.
    """
    case = storage.case_of(registration_id)
    if case is None:
        return
    ending = storage.ending(case.id)
    if ending is None:
        _tell_checked(storage, case, case.register.outcome, case.opened_at)
    elif ending.status is CaseStatus.VERIFIED:
        people = storage.people_with(case.applicant.numbers)
        if len(people) != 1:
            raise LookupError("a verified case without its person")
        _tell_verified(storage, case, people[0], "desk" if ending.staff_id else "reused", ending.at)
    else:
        rejected = ending.status is CaseStatus.REJECTED
        event_type = identity_events.REJECTED if rejected else identity_events.CLOSED
        data = {"registration_id": registration_id, "reason": ending.reason, **_contact(case)}
        outbox.add(
            storage.tx,
            event_type.event(subject=case.id, correlation_id=registration_id, at=ending.at, data=data),
        )


def replace_unheard(storage: Storage, credential_id: UUID, *, replacements: int, now: datetime) -> bool:
    """Nobody knows of an SMS with this first password, and its secret is not kept: another one is made, as
    for an SMS that did not arrive. False when it was replaced too often, or is no longer in force."""
    found = storage.cause_of(credential_id)
    if found is None or domain.cause_of_replacement(found[1], replacements) is None:
        return False
    live = {credential.id for credential in storage.live_credentials(found[0])}
    _replace(storage, credential_id, replacements, now)
    return credential_id in live


def issue_anew(storage: Storage, account_id: UUID, *, replacements: int, now: datetime) -> bool:
    """The citizen's own password was lost, and the first one opens the account again: another first password
    takes its place and goes out. False when there is none to replace."""
    issued = [c.id for c in storage.live_credentials(account_id) if c.state is CredentialState.ISSUED]
    return bool(issued) and replace_unheard(storage, issued[0], replacements=replacements, now=now)


def tell_sessions_ended_again(
    storage: Storage, account_id: UUID, issued_before: datetime, *, now: datetime
) -> None:
    """Older tokens of the account are not to be accepted."""
    _tell_sessions_ended(storage, account_id, issued_before, now)


# --- log-in and change of password ---------------------------------------------------------------


@dataclass(frozen=True)
class Candidate:
    """An account with the credentials that a password may open."""

    account: Account
    credentials: tuple[Credential, ...]


def find_account(storage: Storage, user: str) -> Candidate | None:
    """The account of a BHXH code or personal number."""
    account = storage.account_named(user.strip())
    if account is None:
        return None
    return Candidate(account, tuple(storage.live_credentials(account.id)))


def log_in(
    storage: Storage, account: Account, credential: Credential, *, session_id: UUID, now: datetime
) -> Session:
    """A session, for a password that was right. Whoever has a first password must have received it,
    whatever is said of the SMS later. Raises ``FirstPasswordExpired``, and ``LogInFailed`` when the password
    was replaced in the meantime."""
    session = Session(session_id, account, domain.scope_of(credential, now), now)
    if credential.state is CredentialState.ISSUED:
        storage.note_delivery(credential.id, DELIVERED)
    if not storage.start_session(session, credential.id):
        raise domain.LogInFailed
    return session


def live_session(storage: Storage, claims: Claims) -> Session:
    """The session of a token, while it lasts. Raises ``TokenInvalid``."""
    session = storage.session(claims.session_id)
    if session is None or session.account.id != claims.account_id or session.ended_at is not None:
        raise domain.TokenInvalid
    return session


def find_repeated_change(storage: Storage, claims: Claims) -> tuple[Account, Credential] | None:
    """The password that was set in this very session, while it is in use: a repeat of that request is
    answered like the first. None when the session set none."""
    session = storage.session(claims.session_id)
    if session is None or session.account.id != claims.account_id:
        return None
    credential = storage.credential_for(session.account.id, str(session.id))
    if credential is None or credential.state is not CredentialState.ACTIVE:
        return None
    return session.account, credential


def change_password(
    storage: Storage, session: Session, used: Credential, new: Credential, *, session_id: UUID, now: datetime
) -> Session:
    """The new password replaces every earlier one and every earlier session, and its owner is told by
    e-mail. Raises ``TokenInvalid`` when another change came first."""
    account = session.account
    storage.lock_account(account.id)
    live = [c.id for c in storage.live_credentials(account.id)]
    if used.id not in live:
        raise domain.TokenInvalid
    storage.end_credentials(live, now)
    storage.end_sessions(account.id, now)
    storage.add_credential(new, str(session.id), now)
    data = {
        "account_id": account.id,
        "kind": "password_changed",
        "channels": [{"kind": "email", "to": account.email}],
        "language": account.language,
    }
    outbox.add(
        storage.tx,
        account_events.NOTICE_DUE.event(subject=account.id, correlation_id=account.id, at=now, data=data),
    )
    _tell_sessions_ended(storage, account.id, now, now)
    return log_in(storage, account, new, session_id=session_id, now=now)


def _tell_sessions_ended(storage: Storage, account_id: UUID, issued_before: datetime, now: datetime) -> None:
    data = {"account_id": account_id, "issued_before": issued_before}
    outbox.add(
        storage.tx,
        account_events.SESSIONS_ENDED.event(subject=account_id, correlation_id=account_id, at=now, data=data),
    )


def disable_staff(storage: Storage, user: str, *, by: str, now: datetime) -> bool:
    """A member of staff may do nothing from here on, in no session. False when nobody has this name."""
    staff_id = storage.disable_staff(user)
    if staff_id is None:
        return False
    storage.add_audit(AuditEntry(now, staff_id, "disabled", details={"by": by}))
    return True


def start_staff_session(
    storage: Storage, staff: StaffAccount, token_hash: bytes, *, hours: int, now: datetime
) -> datetime:
    """Log a member of staff in; returns when the session ends."""
    expires_at = now + timedelta(hours=hours)
    storage.start_staff_session(token_hash, staff.id, now, expires_at)
    storage.add_audit(AuditEntry(now, staff.id, "logged_in"))
    return expires_at
