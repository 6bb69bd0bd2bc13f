"""A guardianship ends before the child is of age: an officer says so, and nobody acts for the child by it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from services.identity import guardianship
from services.identity.domain import Account, AuditEntry, Case, CaseStatus, Officer, Person
from services.identity.guardianship import Guardianship, GuardianshipUnknown
from services.identity.use_cases.accounts import lock_guardians, start_anew
from services.identity.use_cases.desk import own_case
from services.identity.use_cases.ports import Storage
from services.identity.use_cases.telling import tell_guardianship_ended


def end_guardianship(
    storage: Storage, officer: Officer, case_id: UUID, *, reason: str, note: str, now: datetime
) -> Guardianship:
    """The guardianship that was confirmed last by this case of the own agency is over: the former guardian
    looks nothing up any more, is told, and the child is not reached there any more. Again, or when the child
    is of age already: the same answer, and the first reason stays.

    Raises ``CaseUnknown``, ``RequestInvalid``, ``GuardianshipUnknown``.
    """
    case = own_case(storage, officer, case_id, to_change=True)
    why, kept_note = guardianship.ending_of(reason, note)
    storage.lock_numbers(case.applicant.numbers)
    people = storage.people_with(case.applicant.numbers)
    if case.guardian is None or case.status is not CaseStatus.VERIFIED or len(people) != 1:
        raise GuardianshipUnknown
    child = people[0]
    lock_guardians(storage, [child.id], now, case.guardian.account_id)
    former = storage.account(case.guardian.account_id)
    held = storage.guardianship(case.guardian.account_id, child.id)
    if held is None or former is None or not _is_confirmed_by(storage, case, held):
        raise GuardianshipUnknown
    if not held.lasts(now):
        return held
    ended = held.ended(officer, why, kept_note, now)
    storage.save_guardianship(ended)
    details = {"guardian": str(former.id), "reason": why}
    storage.add_audit(AuditEntry(now, officer.id, "guardianship_ended", case.id, details))
    tell_guardianship_ended(storage, case, child, former, ended)
    _leave_contact(storage, child, former, now)
    return ended


def _is_confirmed_by(storage: Storage, case: Case, held: Guardianship) -> bool:
    """Whether it was this case's officer who confirmed it last: not where the case was verified without one,
    nor where another case has confirmed it since."""
    ending = storage.ending(case.id)
    return ending is not None and (ending.staff_id, ending.at) == (held.confirmed_by, held.confirmed_at)


def _leave_contact(storage: Storage, child: Person, former: Account, now: datetime) -> None:
    """A child that was reached at the former guardian's contact is reached at that of the guardian confirmed
    first of those who are left; without one nowhere (ADR 0024)."""
    (child,) = storage.people_with([child.applicant.code])  # the contact may have changed until it was locked
    if not former.is_reached_at(child.applicant.phone, child.applicant.email):
        return
    others = [one for one in storage.guardians_of(child.id, now) if one.id != former.id]
    phone, email = (others[0].phone, others[0].email) if others else ("", "")
    storage.save_person(replace(child, applicant=replace(child.applicant, phone=phone, email=email)))
    account = storage.account_of(child.id)
    if account is not None:
        storage.lock_account(account.id)
        start_anew(storage, storage.save_account(replace(account, phone=phone, email=email), now), now)
