"""The desk: an officer's acts on the cases of the own agency, and its staff."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from services.identity import domain, refusals
from services.identity.domain import (
    Account,
    Applicant,
    AuditEntry,
    Case,
    CaseStatus,
    Ending,
    Hold,
    Officer,
    Person,
    Photo,
    StaffAccount,
    Supplement,
)
from services.identity.guardianship import Guardianship, NotAChild, of_age_at, whose_contact
from services.identity.totp import ENROLMENT_LASTS, TotpWrong, enrolment_hash
from services.identity.use_cases.accounts import end_recovered, lock_guardians
from services.identity.use_cases.children import confirm_guardianship, see_guardianship
from services.identity.use_cases.coming_of_age import move_coming_of_age
from services.identity.use_cases.everywhere import end_everywhere
from services.identity.use_cases.ports import Position, Storage
from services.identity.use_cases.telling import contact_of, tell_contact_changed, tell_verified
from shared.events import identity as identity_events
from shared.events.parts import BIRTH_CERTIFICATE, PHOTO_KINDS
from shared.messaging import outbox
from shared.refusals import FieldProblem

PAGE_SIZE = 50


def officer_of(storage: Storage, token_hash: bytes, now: datetime) -> Officer:
    """The active member of staff who holds this token. Raises ``TokenInvalid``."""
    officer = storage.officer(token_hash, now)
    if officer is None:
        raise refusals.TokenInvalid
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
    typed = domain.search_words(words)
    found = storage.cases(
        officer.agency_code,
        CaseStatus(status),
        typed,
        _position(cursor),
        PAGE_SIZE + 1,
        or_words=domain.phones_in(typed),
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
    raise refusals.RequestInvalid(
        FieldProblem("cursor", "Dùng next_cursor của trang trước.", "Use next_cursor of the page before.")
    )


@dataclass(frozen=True)
class CaseSeen:
    """A case; the account that its person has already, so that what was verified before stands beside what is
    asked for now; and of a child the account of who registers it, and what was confirmed of that."""

    case: Case
    account: Account | None = None
    guardian: Account | None = None
    confirmed: Guardianship | None = None


def read_case(storage: Storage, officer: Officer, case_id: UUID, now: datetime) -> CaseSeen:
    """One case of the officer's own agency. The reading is audited. Raises ``CaseUnknown``."""
    case = own_case(storage, officer, case_id)
    storage.add_audit(AuditEntry(now, officer.id, "case_read", case.id))
    people = storage.people_with(case.applicant.numbers)
    person = people[0] if len(people) == 1 else None
    return CaseSeen(
        case,
        storage.account_of(person.id) if person else None,
        storage.account(case.guardian.account_id) if case.guardian else None,
        storage.guardianship(case.guardian.account_id, person.id) if case.guardian and person else None,
    )


def read_photo(storage: Storage, officer: Officer, case_id: UUID, kind: str, now: datetime) -> Photo:
    """Where a photo lies; the reading is audited first. Raises ``CaseUnknown``, ``PhotoUnknown``."""
    case = own_case(storage, officer, case_id)
    photo = case.photo(kind)
    storage.add_audit(AuditEntry(now, officer.id, "photo_read", case.id, {"kind": kind}))
    return photo


def claim_case(storage: Storage, officer: Officer, case_id: UUID, *, minutes: int, now: datetime) -> Case:
    """The officer works on the case for so many minutes from now: nobody else decides about it meanwhile.
    Claimed again by its holder it is renewed; once it has run out, anybody may take it over.

    Raises ``CaseUnknown``, ``CaseAlreadyEnded``, ``CaseClaimed``.
    """
    case = own_case(storage, officer, case_id, to_change=True).open_to(officer, now)
    claimed = replace(case, hold=Hold(officer.id, now + timedelta(minutes=minutes)))
    storage.save_case(claimed)
    storage.add_audit(AuditEntry(now, officer.id, "case_claimed", case.id))
    return storage.case(case.id) or claimed  # with the officer's name


def request_supplement(
    storage: Storage, officer: Officer, case_id: UUID, *, items: Sequence[str], note: str, now: datetime
) -> Case:
    """The citizen is asked for photos (by kind) or for an answer to the note. Until it comes the case is
    nobody's, so that a citizen who visits meanwhile is served by whoever is there.

    Raises ``CaseUnknown``, ``CaseAlreadyEnded``, ``CaseClaimed``, ``RequestInvalid``.
    """
    case = own_case(storage, officer, case_id, to_change=True).open_to(officer, now)
    childs = (BIRTH_CERTIFICATE,) if case.guardian else ()
    wanted, told = domain.supplement_of(items, note, (*PHOTO_KINDS, *childs, domain.ANSWER))
    asked = Supplement(wanted, told, officer.id, now)
    changed = replace(case, supplement=asked, hold=None, first_confirmed_by=None)
    storage.save_case(changed)
    storage.add_audit(
        AuditEntry(now, officer.id, "supplement_requested", case.id, {"items": list(asked.items)})
    )
    data = {
        "registration_id": case.registration_id,
        "items": list(asked.items),
        "note": asked.note,
        **contact_of(case),
    }
    outbox.add(
        storage.tx,
        identity_events.SUPPLEMENT_REQUESTED.event(
            subject=case.id,
            correlation_id=case.registration_id,
            at=now,
            data=data,
            traceparent=case.traceparent,
        ),
    )
    return changed


def confirm_case(
    storage: Storage,
    officer: Officer,
    case_id: UUID,
    *,
    papers_checked: bool,
    person_id: UUID,
    now: datetime,
    guardianship_confirmed: bool = False,
    two_officers: bool = False,
) -> Case:
    """The officer saw the papers: the person is verified, once, for life, a child together with who may act
    for it. Again: the same answer. With ``two_officers`` the first confirmation waits for that of another
    officer.

    ``person_id`` is for somebody new. Raises ``CaseUnknown``, ``PapersNotChecked``, ``CaseAlreadyEnded``,
    ``CaseClaimed``, ``SecondOfficerNeeded``, ``PersonNumberTaken``; of a child ``GuardianshipNotConfirmed``,
    ``PhotoUnknown``, ``NotAChild``.
    """
    case = own_case(storage, officer, case_id, to_change=True)
    if papers_checked is not True:
        raise refusals.PapersNotChecked
    see_guardianship(case, is_confirmed=guardianship_confirmed)
    if case.status is CaseStatus.VERIFIED:
        return case
    case.open_to(officer, now)
    if two_officers and case.first_confirmed_by is None:
        waiting = replace(case, first_confirmed_by=officer.id, hold=None)
        storage.save_case(waiting)
        storage.add_audit(AuditEntry(now, officer.id, "case_confirmed_first", case.id))
        return waiting
    if two_officers and case.first_confirmed_by == officer.id:
        raise refusals.SecondOfficerNeeded
    storage.end_case(case.id, Ending(CaseStatus.VERIFIED, now, officer.id))
    storage.add_audit(AuditEntry(now, officer.id, "case_confirmed", case.id))
    person = _remember(storage, case, person_id, now)
    tell_verified(storage, case, person, "desk", now)
    confirm_guardianship(storage, officer, case, person, now)
    return replace(case, status=CaseStatus.VERIFIED)


def reject_case(storage: Storage, officer: Officer, case_id: UUID, *, reason: str, now: datetime) -> Case:
    """The officer turns the application away, with a reason for the citizen. Again: the same answer, and
    the first reason stays. Raises ``CaseUnknown``, ``ReasonMissing``, ``CaseAlreadyEnded``, ``CaseClaimed``.
    """
    case = own_case(storage, officer, case_id, to_change=True)
    told = domain.reason_of_rejection(reason)
    if case.status is CaseStatus.REJECTED:
        return case
    case.open_to(officer, now)
    storage.end_case(case.id, Ending(CaseStatus.REJECTED, now, officer.id, told))
    storage.add_audit(AuditEntry(now, officer.id, "case_rejected", case.id))
    data = {"registration_id": case.registration_id, "reason": told, **contact_of(case)}
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
    return replace(case, status=CaseStatus.REJECTED)


def own_case(storage: Storage, officer: Officer, case_id: UUID, *, to_change: bool = False) -> Case:
    """A case of the officer's own agency. Raises ``CaseUnknown``."""
    case = storage.case(case_id, to_change=to_change)
    if case is None or case.agency_code != officer.agency_code:
        raise refusals.CaseUnknown
    return case


def _remember(storage: Storage, case: Case, person_id: UUID, now: datetime) -> Person:
    storage.lock_numbers(case.applicant.numbers)
    if case.guardian is not None:
        known = [person.id for person in storage.people_with(case.applicant.numbers)]
        lock_guardians(storage, known, now, case.guardian.account_id)
    people = storage.people_with(case.applicant.numbers)
    applicant = _as_reached_now(storage, case, people, now)
    if len(people) > 1 or (people and not people[0].may_have(applicant.numbers)):
        raise refusals.PersonNumberTaken
    if case.guardian and people and of_age_at(people[0].applicant.birth_value) <= now:
        raise NotAChild
    person = Person(people[0].id if people else person_id, applicant, now)
    storage.save_person(person)
    move_coming_of_age(storage, person, now)
    account = storage.account_of(person.id)
    if account is not None and not account.is_reached_at(applicant.phone, applicant.email):
        end_everywhere(storage, account.id, now)
        end_recovered(storage, account.id, now)  # the first password that this case is for follows
        tell_contact_changed(storage, account, phone=applicant.phone, email=applicant.email, now=now)
    return person


def _as_reached_now(storage: Storage, case: Case, people: Sequence[Person], now: datetime) -> Applicant:
    """A child is reached where its guardian is by now; another guardian changes nothing about that, while the
    guardianship of the one before lasts (ADR 0024)."""
    guardian = storage.account(case.guardian.account_id) if case.guardian else None
    if guardian is None:
        return case.applicant
    for child in people:
        guardian = whose_contact(child.applicant, storage.guardians_of(child.id, now)) or guardian
    return replace(case.applicant, phone=guardian.phone, email=guardian.email)


def disable_staff(storage: Storage, user: str, *, by: str, now: datetime) -> bool:
    """A member of staff may do nothing from here on, in no session; of whom that was so before, nothing is
    written down. False when nobody has this name."""
    disabled = storage.disable_staff(user)
    if disabled is None:
        return False
    staff_id, was_active = disabled
    if was_active:
        storage.add_audit(AuditEntry(now, staff_id, "disabled", details={"by": by}))
    return True


def use_totp(storage: Storage, staff: StaffAccount, step: int, now: datetime) -> None:
    """The code of this step is used up; the first one makes the app the member's. Raises ``TotpWrong`` when
    it, or a later one, was used before: of log-ins at the same time with one code one wins."""
    if staff.totp_seed is None or not storage.use_totp(staff.id, staff.totp_seed, step):
        raise TotpWrong
    if staff.totp_last_step is None:
        storage.add_audit(AuditEntry(now, staff.id, "totp_enrolled"))


def reset_totp(storage: Storage, user: str, code: str, *, by: str, now: datetime) -> bool:
    """Whoever lost the phone sets up another with this code; every session ends. False when nobody
    active has this name."""
    staff_id = storage.reset_totp(user, enrolment_hash(code), now + ENROLMENT_LASTS)
    if staff_id is None:
        return False
    storage.add_audit(AuditEntry(now, staff_id, "totp_reset", details={"by": by}))
    return True


def start_staff_session(
    storage: Storage, staff: StaffAccount, token_hash: bytes, *, hours: int, now: datetime
) -> datetime:
    """Log a member of staff in; returns when the session ends."""
    expires_at = now + timedelta(hours=hours)
    storage.start_staff_session(token_hash, staff.id, now, expires_at)
    storage.add_audit(AuditEntry(now, staff.id, "logged_in"))
    return expires_at


def end_staff_session(storage: Storage, officer: Officer, token_hash: bytes, now: datetime) -> None:
    """Log a member of staff out at this desk; where else they are logged in, they stay so."""
    storage.end_staff_session(token_hash)
    storage.add_audit(AuditEntry(now, officer.id, "logged_out"))
